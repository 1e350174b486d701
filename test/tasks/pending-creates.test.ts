import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/tasks/clock.ts';
import { createPendingCreates, isSettled } from '../../src/tasks/pending-creates.ts';
import { FAILURE, NOW, hiddenTask } from '../store/records.ts';
import { staysPending } from '../kit/waits.ts';
import { createVirtualClock } from '../kit/clock.ts';

/** Outcomes on a clock that stands still, with a count of the timers that are set. */
function start() {
  const clock = createVirtualClock(NOW, () => false);
  const timers = new Set<object>();
  const counted: Clock = {
    now: clock.now,
    after(ms, run) {
      const timer = {};
      timers.add(timer);
      const cancel = clock.after(ms, () => {
        timers.delete(timer);
        run();
      });
      return () => {
        timers.delete(timer);
        cancel();
      };
    },
  };
  return { clock, pending: createPendingCreates(counted), timers: () => timers.size };
}

const SETTLED = hiddenTask({ id: 'task', state: 'WAITING' });

describe('a pending create', () => {
  it('resolves when the record is settled, and cancels its timer', async () => {
    const { pending, timers } = start();
    const waiting = pending.wait('task', 15_000);
    expect(timers()).toBe(1);
    pending.notify(SETTLED);
    expect(await waiting).toBe(SETTLED);
    expect(timers()).toBe(0);
  });

  it('resolves with null after its timeout', async () => {
    const { clock, pending, timers } = start();
    const waiting = pending.wait('task', 15_000);
    await clock.runUntil(NOW + 14_999);
    await staysPending(waiting);
    await clock.runUntil(NOW + 15_000);
    expect(await waiting).toBeNull();
    expect(timers()).toBe(0);
  });

  it.each([0, -1])('resolves at once without time left (%i ms)', async (ms) => {
    const { pending, timers } = start();
    expect(await pending.wait('task', ms)).toBeNull();
    expect(timers()).toBe(0);
  });

  it('ignores notifications from before the wait', async () => {
    const { pending } = start();
    pending.notify(SETTLED);
    await staysPending(pending.wait('task', 15_000));
  });

  it('ignores other tasks', async () => {
    const { pending } = start();
    const waiting = pending.wait('task', 15_000);
    pending.notify({ ...SETTLED, id: 'another task' });
    await staysPending(waiting);
  });

  it('ignores a write that does not settle the task', async () => {
    const { pending } = start();
    const waiting = pending.wait('task', 15_000);
    pending.notify(hiddenTask({ id: 'task', markedAt: NOW }));
    await staysPending(waiting);
    pending.notify(SETTLED);
    expect(await waiting).toBe(SETTLED);
  });

  it('may have many waiters, each with its own timeout', async () => {
    const { clock, pending, timers } = start();
    const [short, long, longer] = [1000, 2000, 3000].map((ms) => pending.wait('task', ms));
    await clock.runUntil(NOW + 1000);
    expect(await short).toBeNull();
    pending.notify(SETTLED);
    expect(await long).toBe(SETTLED);
    expect(await longer).toBe(SETTLED);
    expect(timers()).toBe(0);
  });

  it('resolves once: a later outcome is for later waits', async () => {
    const { pending } = start();
    const first = pending.wait('task', 15_000);
    pending.notify(SETTLED);
    const second = pending.wait('task', 15_000);
    const later = { ...SETTLED, state: 'SUCCESS' as const };
    pending.notify(later);
    expect([await first, await second]).toEqual([SETTLED, later]);
  });
});

describe('endWaiting()', () => {
  it('resolves all waits with null, and cancels their timers', async () => {
    const { pending, timers } = start();
    const waiting = [pending.wait('a', 15_000), pending.wait('a', 20_000), pending.wait('b', 15_000)];
    expect(pending.hasEnded()).toBe(false);
    pending.endWaiting();
    expect(await Promise.all(waiting)).toEqual([null, null, null]);
    expect(pending.hasEnded()).toBe(true);
    expect(timers()).toBe(0);
  });

  it('makes later waits resolve at once', async () => {
    const { pending, timers } = start();
    pending.endWaiting();
    expect(await pending.wait('task', 15_000)).toBeNull();
    expect(timers()).toBe(0);
  });
});

describe('an outcome is known', () => {
  it.each([
    ['when the provider has taken the task', { state: 'WAITING' as const }],
    ['when it was refused', { refusal: FAILURE }],
    ['when it is certain that nobody knows', { unknownSince: NOW }],
    ['when it failed', { state: 'FAIL' as const, failure: FAILURE }],
    ['when it has a video', { state: 'SUCCESS' as const }],
  ])('%s', (_, fields) => {
    expect(isSettled(hiddenTask(fields))).toBe(true);
  });

  it.each([
    ['before it is sent', {}],
    ['while it is being sent', { markedAt: NOW }],
    ['while it waits to be sent again', { notNowCount: 3, notNowSince: NOW, submitAt: NOW + 1000 }],
    ['by its being announced', { revision: 1 }],
    ['by somebody’s claim to have an id for it', { unverifiedProviderTaskId: 'kie-1', nextCheckAt: NOW }],
  ])('not %s', (_, fields) => {
    expect(isSettled(hiddenTask(fields))).toBe(false);
  });
});
