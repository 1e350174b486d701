import { expect, test } from 'vitest';
import { withstand } from './kit.ts';
import { BY_NEIGHBOURS } from './neighbours.ts';
import { BY_STRANGERS } from './strangers.ts';

// Each attacks a gateway of its own while somebody else uses it; what is allowed stands in kit.ts.
test.for([...BY_STRANGERS, ...BY_NEIGHBOURS])('$promise', async (attack, { annotate }) => {
  const { complaints, figures } = await withstand(attack);
  await annotate(figures);
  expect(complaints, figures).toEqual([]);
});
