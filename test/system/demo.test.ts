import { expect, test } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { ROOT, startProcess } from '../kit/process.ts';

/** What `npm run demo` runs once it has built: other tests use what is built. */
const TSX = `${ROOT}node_modules/.bin/tsx`;

test('the demo shows the provider’s own example become a video within 20 s and leaves nothing running', async () => {
  const demo = startProcess(TSX, ['scripts/demo.ts']);
  expect(await demo.exited).toEqual({ code: 0, signal: null });

  const lines = demo.stdout().trimEnd().split('\n');
  const steps = lines.map((line) => /^ *(\d+\.\d) s {2}(\w+)/.exec(line)?.slice(1) ?? [line]);
  const names = steps.map(([, name]) => name);
  expect(names.slice(0, 3)).toEqual(['gateway', 'created', 'WAITING']);
  expect(names.slice(-4)).toEqual(['SUCCESS', 'video', 'plays', 'done']);
  expect(Number(steps.at(-1)?.[0])).toBeLessThan(20);
  expect(lines.at(-2)).toMatch(/video\/mp4, \d+ KiB; Range answers 206/);

  const url = lines[0]?.split(' ').at(-1) ?? '';
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});

test('a demo that cannot reach its gateway says so and fails', async () => {
  const { close, url } = await startFakeProvider();
  await close();
  const demo = startProcess(TSX, ['scripts/demo.ts'], { KINEOGRAPH_URL: url });
  expect((await demo.exited).code).toBe(1);
  expect(demo.stderr()).toContain('The demo failed: fetch failed: connect ECONNREFUSED');
});

test('a demo that is interrupted stops what it started', async () => {
  const demo = startProcess(process.execPath, ['--import', 'tsx', 'scripts/demo.ts']);
  const url = (await demo.line((line) => line.includes('gateway'))).split(' ').at(-1) ?? '';
  demo.signal('SIGINT');
  expect(await demo.exited).toEqual({ code: 130, signal: null });
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});
