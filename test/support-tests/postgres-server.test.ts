import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startProcess } from '../kit/process.ts';

it('a process that had a PostgreSQL server ends with its own exit code: a test that fails is not hidden', async () => {
  const script = fileURLToPath(new URL('../kit/ends-with-three.ts', import.meta.url));
  const { exited } = startProcess(process.execPath, ['--import', 'tsx', script]);
  expect(await exited).toEqual({ code: 3, signal: null });
});
