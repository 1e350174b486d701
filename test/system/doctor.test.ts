import { expect, test } from 'vitest';
import type { Finding } from '../../src/cli/doctor/findings.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { runBuilt, startBuilt } from '../kit/process.ts';

test('doctor examines the built gateway while it runs, and prints JSON and nothing else', async () => {
  const DATA_DIR = await temporaryDir();
  const { url } = await startBuilt({ DATA_DIR });
  const env = { DATA_DIR, PORT: new URL(url).port, PUBLIC_URL: url };
  const { code, stderr, stdout } = await runBuilt(['doctor', '--json'], env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
  // How full the disk is, is not ours to say.
  const others = findings.filter(({ check }) => check !== 'disk');
  expect(others.map(({ check, status }) => `${check}: ${status}`)).toEqual([
    'configuration: ok',
    'store: ok',
    'provider: skipped',
    'clock: skipped',
    'access: ok',
    'public address: ok',
    'WebSocket: ok',
    'signatures: skipped',
  ]);
  const wrong = await runBuilt(['doctor'], { ...env, PORT: 'x' });
  expect([wrong.code, wrong.stderr]).toEqual([78, '']);
  expect(wrong.stdout).toMatch(/^failure {2}configuration {3}There is 1 mistake/);
});
