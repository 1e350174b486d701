import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDir } from '../kit/gateway.ts';
import { ROOT, startProcess } from '../kit/process.ts';

test("the types of the dashboard's operations are those of schema.graphql (npm run schema)", async () => {
  const file = join(await temporaryDir(), 'schema-types.d.ts');
  const args = ['generate', 'output', '--tsconfig', 'dashboard/tsconfig.json', '--output', file];
  const { exited, stderr } = startProcess(join(ROOT, 'node_modules/.bin/gql.tada'), args);
  expect([await exited, stderr()]).toEqual([{ code: 0, signal: null }, '']);
  const committed = await readFile(join(ROOT, 'dashboard/src/api/schema-types.d.ts'), 'utf8');
  expect(await readFile(file, 'utf8')).toBe(committed);
});
