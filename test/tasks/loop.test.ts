import { describe, expect, test } from 'vitest';
import { startLoop, type Loop } from '../../src/tasks/worker.ts';
import type { Clock } from '../../src/tasks/clock.ts';
import { staysPending, deferred, type Deferred, createQueue } from '../kit/waits.ts';

interface Timer {
  readonly ms: number;
  readonly run: () => void;
}

/** A round that is under way, and ends when the test says so. */
type Round = Deferred<number>;

interface Kit {
  readonly loop: Loop;
  readonly nextRound: () => Promise<Round>;
  /** Timers that are set and neither fired nor cancelled. */
  readonly timers: () => readonly Timer[];
  readonly fire: () => void;
  readonly nextTimer: () => Promise<Timer>;
  readonly errors: readonly unknown[];
  readonly mostAtOnce: () => number;
}

const RETRY_MS = 777;

function start(): Kit {
  const rounds = createQueue<Round>('a round of the loop');
  const set = createQueue<Timer>('a timer of the loop');
  const timers = new Set<Timer>();
  const errors: unknown[] = [];
  let running = 0;
  let most = 0;

  const clock: Clock = {
    now: () => 0,
    after(ms, run) {
      const timer = { ms, run };
      timers.add(timer);
      set.push(timer);
      return () => timers.delete(timer);
    },
  };
  const loop = startLoop({
    clock,
    retryMs: RETRY_MS,
    onError: (error) => errors.push(error),
    round: async () => {
      running += 1;
      most = Math.max(most, running);
      const end = deferred<number>();
      rounds.push(end);
      try {
        return await end.promise;
      } finally {
        running -= 1;
      }
    },
  });
  return {
    loop,
    errors,
    nextRound: () => rounds.take(),
    nextTimer: () => set.take(),
    timers: () => [...timers],
    fire() {
      const [timer] = timers;
      if (!timer) throw new Error('No timer is set');
      timers.delete(timer);
      timer.run();
    },
    mostAtOnce: () => most,
  };
}

describe('a loop', () => {
  test('runs its round at once, and again after the returned time', async () => {
    const { fire, nextRound, nextTimer } = start();
    (await nextRound()).resolve(1234);
    expect((await nextTimer()).ms).toBe(1234);
    fire();
    (await nextRound()).resolve(0);
    expect((await nextTimer()).ms).toBe(0);
  });

  test('never waits for a negative time', async () => {
    const { nextRound, nextTimer } = start();
    (await nextRound()).resolve(-5);
    expect((await nextTimer()).ms).toBe(0);
  });

  test('that is woken between rounds runs at once and cancels its timer', async () => {
    const { loop, nextRound, nextTimer, timers } = start();
    (await nextRound()).resolve(1234);
    await nextTimer();
    loop.wake();
    const second = await nextRound();
    expect(timers()).toEqual([]);
    second.resolve(1);
    expect((await nextTimer()).ms).toBe(1);
    expect(timers()).toHaveLength(1);
  });

  test('that is woken during a round runs exactly one more round after it', async () => {
    const { loop, mostAtOnce, nextRound, nextTimer, timers } = start();
    const first = await nextRound();
    loop.wake();
    loop.wake();
    const secondRound = nextRound();
    await staysPending(secondRound);
    first.resolve(1234);
    const second = await secondRound;
    expect(timers()).toEqual([]);
    second.resolve(4321);
    expect((await nextTimer()).ms).toBe(4321);
    expect(mostAtOnce()).toBe(1);
  });

  test('reports a failed round, and retries after its retry time', async () => {
    const { errors, fire, nextRound, nextTimer } = start();
    const failure = new Error('a failed round');
    (await nextRound()).reject(failure);
    expect((await nextTimer()).ms).toBe(RETRY_MS);
    expect(errors).toEqual([failure]);
    fire();
    (await nextRound()).resolve(5);
    expect((await nextTimer()).ms).toBe(5);
  });

  test('that is woken during a failing round does not wait for its retry time', async () => {
    const { loop, nextRound, timers } = start();
    const first = await nextRound();
    loop.wake();
    first.reject(new Error('a failed round'));
    await nextRound();
    expect(timers()).toEqual([]);
  });

  test('stops after the current round and starts no other, even if woken', async () => {
    const { loop, nextRound, timers } = start();
    const first = await nextRound();
    loop.wake();
    const stopped = loop.stop();
    await staysPending(stopped);
    first.resolve(0);
    await stopped;
    loop.wake();
    await staysPending(nextRound());
    expect(timers()).toEqual([]);
  });

  test('stops when the current round fails', async () => {
    const { errors, loop, nextRound, timers } = start();
    const first = await nextRound();
    const stopped = loop.stop();
    first.reject(new Error('a failed round'));
    await stopped;
    expect(errors).toHaveLength(1);
    expect(timers()).toEqual([]);
  });

  test('stops at once between rounds and cancels its timer', async () => {
    const { loop, nextRound, nextTimer, timers } = start();
    (await nextRound()).resolve(1234);
    await nextTimer();
    await loop.stop();
    expect(timers()).toEqual([]);
    await loop.stop();
  });
});
