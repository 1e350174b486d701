import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { afterReading, timeoutSignal } from '../../src/tasks/clock.ts';
import { createOccasionalLog } from '../../src/tasks/log.ts';
import { startTimeWatch } from '../../src/tasks/time-watch.ts';
import { createQueue, onTestEnd } from '../kit/waits.ts';

/** Holds up everything in this process for so long, as a stop of it does. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('data that has arrived is read before an overdue timer fires', async () => {
  const server = createServer((_request, response) => {
    response.end('an answer');
    // The answer leaves in this turn; whoever waits for it is held up until its time is over.
    setImmediate(block, 1000);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestEnd(() => void server.close());
  const { end, signal } = timeoutSignal(500, 'no answer');
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}`, { signal, headers: { connection: 'close' } });
  expect(await answer.text()).toBe('an answer');
  end();
  expect(signal.aborted).toBe(false);
});

test('a cancelled timer does not fire, even if it is overdue', async () => {
  const fired: string[] = [];
  const end = afterReading(1, () => fired.push('taken back'));
  block(10);
  const last = new Promise<void>((resolve) => void afterReading(20, resolve));
  end();
  await last;
  expect(fired).toEqual([]);
});

test.each([
  { jump: -5 * 60_000, text: 'jumped back by 300 s', wentBack: 1 },
  { jump: 60 * 60_000, text: 'jumped ahead by 3600 s', wentBack: 0 },
])('a clock that is set is logged once: $text', async ({ jump, text, wentBack }) => {
  let now = 0;
  let elapsed = 0;
  let calls = 0;
  const looks = createQueue<() => void>('a look at the clock');
  const warnings: string[] = [];
  const after = (_ms: number, run: () => void) => {
    looks.push(run);
    return () => undefined;
  };
  const watch = startTimeWatch({
    clock: { now: () => now, elapsed: () => elapsed, after },
    log: { ...console, warn: (_fields: object, message: string) => warnings.push(message) },
    store: { clockWentBack: () => Promise.resolve(void (calls += 1)) },
  });
  const pass = async (ms: number): Promise<void> => {
    const look = await looks.take();
    now += ms;
    elapsed += ms;
    look();
  };
  await pass(1000);
  expect(watch.steadyFor()).toBe(Infinity);
  now += jump;
  for (let second = 0; second < 5; second += 1) await pass(1000);
  expect(warnings).toEqual([expect.stringContaining(text)]);
  expect([calls, watch.steadyFor()]).toEqual([wentBack, 4000]);
  await watch.stop();
});

test('the occasional log writes the first warning of a kind at once, and counts the rest in one line', async () => {
  const lines = createQueue<object>('a line of the log');
  const warn = (fields: object, message: string): void => {
    lines.push({ ...fields, message });
  };
  const occasional = createOccasionalLog({ warn }, 20);
  for (let n = 0; n < 1000; n += 1) occasional.warn('a', { n }, 'refused');
  occasional.warn('b', { n: 0 }, 'refused');
  expect(await lines.take()).toEqual({ n: 0, message: 'refused' });
  expect(await lines.take()).toEqual({ n: 0, message: 'refused' });
  expect(await lines.take()).toEqual({ n: 999, count: 999, message: 'refused' });
});
