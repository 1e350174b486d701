import { lexicographicSortSchema, printSchema } from 'graphql';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { schema } from '../../src/schema/schema.ts';

it('schema.graphql is what the code makes', () => {
  const file = readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8');
  const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;
  expect(printed, 'schema.graphql differs from the code. Update it with: npm run schema').toBe(file);
});
