import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyUpdate, type TaskUpdate, type Updatable } from '../../src/tasks/apply-update.ts';
import { PROVIDER_ERROR_CODES, isPresumed } from '../../src/tasks/failure.ts';
import { isTerminal, rankOf } from '../../src/tasks/task.ts';

const SUBMITTING: Updatable = {
  state: 'SUBMITTING',
  failure: null,
  videos: [],
  providerTaskId: null,
  creditsConsumed: null,
  updatedAt: 0,
  completedAt: null,
  timeline: [],
};

const base = {
  providerTaskId: fc.constantFrom('kie-1', 'kie-1', 'kie-2', null),
  creditsConsumed: fc.option(fc.double({ min: 0, max: 1000, noNaN: true })),
};

const update: fc.Arbitrary<TaskUpdate> = fc.oneof(
  fc.record({
    ...base,
    state: fc.constantFrom('WAITING' as const, 'QUEUING' as const, 'GENERATING' as const),
  }),
  fc.record({
    ...base,
    state: fc.constant('SUCCESS' as const),
    videoUrls: fc.array(fc.webUrl(), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    ...base,
    state: fc.constant('FAIL' as const),
    failure: fc.record({
      // Conclusions from silence are the interesting ones, so they are as frequent as all others together.
      code: fc.oneof(
        fc.constantFrom(...PROVIDER_ERROR_CODES),
        fc.constantFrom('SUBMISSION_UNKNOWN' as const, 'EXPIRED' as const),
      ),
      providerCode: fc.option(fc.string()),
      message: fc.string(),
    }),
  }),
);

const updates = fc.array(update, { maxLength: 12 });

/** Applies updates one second apart, calling `judge` for each one that changed the task. */
function follow(
  news: readonly TaskUpdate[],
  judge: (before: Updatable, after: Updatable, by: TaskUpdate) => void = () => undefined,
): Updatable {
  return news.reduce((task, one, n) => {
    const next = applyUpdate(task, one, { at: (n + 1) * 1000, source: 'QUERY' });
    if (next) judge(task, next, one);
    return next ?? task;
  }, SUBMITTING);
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}

describe('whatever is said of a task, in whatever order', () => {
  it('its rank only grows, except that a FAIL concluded from silence gives way to a true ending', () => {
    fc.assert(
      fc.property(updates, (news) => {
        follow(news, (before, after) => {
          if (before.failure && isPresumed(before.failure.code)) {
            expect(isTerminal(after.state)).toBe(true);
            expect(after.failure && isPresumed(after.failure.code)).not.toBe(true);
          } else expect(rankOf(after.state)).toBeGreaterThan(rankOf(before.state));
        });
      }),
    );
  });

  it('exactly one of videos and failure is there when it has ended, and neither before', () => {
    fc.assert(
      fc.property(updates, (news) => {
        const { failure, state, videos } = follow(news);
        expect(videos.length > 0).toBe(state === 'SUCCESS');
        expect(failure !== null).toBe(state === 'FAIL');
      }),
    );
  });

  it('completedAt is set exactly when it has ended, to the time of the update that ended it', () => {
    fc.assert(
      fc.property(updates, (news) => {
        const task = follow(news);
        expect(task.completedAt).toBe(isTerminal(task.state) ? task.updatedAt : null);
      }),
    );
  });

  it('the timeline gains each state that it comes to, once, with its time and who told of it', () => {
    fc.assert(
      fc.property(updates, (news) => {
        const task = follow(news, (before, after) => {
          const { state, updatedAt: at } = after;
          expect(after.timeline).toEqual([...before.timeline, { state, at, source: 'QUERY' }]);
        });
        expect(task.timeline.length).toBeLessThan(12);
      }),
    );
  });

  it('the same said twice is as good as said once', () => {
    fc.assert(
      fc.property(updates, update, (news, twice) => {
        const after = applyUpdate(follow(news), twice, { at: 100_000, source: 'QUERY' });
        if (after) expect(applyUpdate(after, twice, { at: 200_000, source: 'QUERY' })).toBeNull();
      }),
    );
  });

  it('nothing that was said before is news, however much was said since', () => {
    fc.assert(
      fc.property(updates, (news) => {
        const task = follow(news);
        for (const again of news)
          expect(applyUpdate(task, again, { at: 100_000, source: 'QUERY' })).toBeNull();
      }),
    );
  });

  it('a provider id that is known never changes', () => {
    fc.assert(
      fc.property(updates, (news) => {
        follow(news, (before, after, by) => {
          expect(after.providerTaskId).toBe(before.providerTaskId ?? by.providerTaskId);
          if (before.providerTaskId !== null && by.providerTaskId !== null)
            expect(by.providerTaskId).toBe(before.providerTaskId);
        });
      }),
    );
  });

  it('what was charged is never forgotten', () => {
    fc.assert(
      fc.property(updates, (news) => {
        follow(news, (before, after) => {
          if (before.creditsConsumed !== null) expect(after.creditsConsumed).not.toBeNull();
        });
      }),
    );
  });

  it('neither the task nor the update is touched: what comes out is another object', () => {
    fc.assert(
      fc.property(updates, update, (news, last) => {
        const before = freeze(structuredClone(follow(news)));
        const copy = structuredClone(before);
        const after = applyUpdate(before, freeze(structuredClone(last)), { at: 100_000, source: 'QUERY' });
        expect(before).toEqual(copy);
        expect(after).not.toBe(before);
      }),
    );
  });
});
