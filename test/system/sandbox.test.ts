import { expect, test } from 'vitest';
import { temporaryDir } from '../kit/gateway.ts';
import { freePort, startBuilt, startBuiltSandbox, startProcess } from '../kit/process.ts';
import { createTask, watchToTheEnd } from './client.ts';

test.each([
  ['hmac-of-both', 'hmac-of-both', { level: 'info', result: 'applied', status: 200 }],
  ['hmac-of-somebody', 'new-key,old-key', { level: 'warn', status: 401 }],
])(
  'a sandbox that runs alone and signs with "%s" brings a task of a gateway with "%s" to SUCCESS, and its callback is answered so',
  async (sandboxKeys, KIE_WEBHOOK_HMAC_KEYS, answered) => {
    const sandbox = await startBuiltSandbox({
      KIE_API_KEY: 'key-of-both',
      KIE_WEBHOOK_HMAC_KEYS: sandboxKeys,
    });
    const PORT = String(await freePort());
    const gateway = await startBuilt({
      DATA_DIR: await temporaryDir(),
      KIE_API_URL: sandbox.url,
      KIE_API_KEY: 'key-of-both',
      KIE_WEBHOOK_HMAC_KEYS,
      PORT,
      PUBLIC_URL: `http://127.0.0.1:${PORT}`,
    });
    const { id } = await createTask(gateway.graphqlUrl, { prompt: 'snow falling [sandbox: duration=1s]' });
    expect(await gateway.logged('callback')).toMatchObject({ task: id, ...answered });
    const last = (await watchToTheEnd(gateway.graphqlUrl, id)).at(-1);
    expect(last).toMatchObject({
      state: 'SUCCESS',
      videos: [{ url: expect.stringContaining(sandbox.url) as string }],
    });
  },
);

/** What `npm run demo` runs once it has built: other tests use what is built. */
const startDemo = () => startProcess(process.execPath, ['--import', 'tsx', 'scripts/demo.ts']);

test('the demo shows the provider’s own example become a video within 20 s and leaves nothing running', async () => {
  const demo = startDemo();
  expect(await demo.exited).toEqual({ code: 0, signal: null });
  const lines = demo.stdout().trimEnd().split('\n');
  const steps = lines.map((line) => /^ *(\d+\.\d) s {2}(\w+)/.exec(line)?.slice(1) ?? [line]);
  const names = steps.map(([, name]) => name);
  expect(names.slice(0, 3)).toEqual(['gateway', 'created', 'WAITING']);
  expect(names.slice(-4)).toEqual(['SUCCESS', 'video', 'plays', 'done']);
  expect(Number(steps.at(-1)?.[0])).toBeLessThan(20);
  expect(lines.at(-2)).toMatch(/video\/mp4, \d+ KiB; Range answers 206/);
  await expect(fetch(lines[0]?.split(' ').at(-1) ?? '')).rejects.toThrow('fetch failed');
});

test('a demo that is interrupted stops what it started', async () => {
  const interrupted = startDemo();
  const url = (await interrupted.line((line) => line.includes('gateway'))).split(' ').at(-1) ?? '';
  expect(await interrupted.end('SIGINT')).toEqual({ code: 130, signal: null });
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});
