import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TooSlowError, atLeastPace } from '../../src/http/slow-clients.ts';

const WINDOW_MS = 5000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('a body is not too slow because this process stood still while it arrived', async () => {
  let arrive: (chunk: Buffer) => void = () => undefined;
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise<IteratorResult<Buffer>>((resolve) => {
          arrive = (value) => {
            resolve({ done: false, value });
          };
        }),
    }),
  };
  const body = atLeastPace(source, { bytes: 10, windowMs: WINDOW_MS });
  const first = body.next();
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
  vi.advanceTimersByTime(WINDOW_MS);
  arrive(Buffer.alloc(10));
  expect((await first).value).toHaveLength(10);

  const second = body.next();
  vi.advanceTimersByTime(2 * WINDOW_MS);
  await expect(second).rejects.toThrow(TooSlowError);
});
