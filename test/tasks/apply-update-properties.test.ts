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

describe('any sequence of updates', () => {
  it('never lowers the rank of a task, except that a real outcome replaces a presumed FAIL', () => {
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

  it('leaves either videos or a failure on an ended task, and neither before', () => {
    fc.assert(
      fc.property(updates, (news) => {
        const { failure, state, videos } = follow(news);
        expect(videos.length > 0).toBe(state === 'SUCCESS');
        expect(failure !== null).toBe(state === 'FAIL');
      }),
    );
  });

  it('sets completedAt to the time of the final update, and never before', () => {
    fc.assert(
      fc.property(updates, (news) => {
        const task = follow(news);
        expect(task.completedAt).toBe(isTerminal(task.state) ? task.updatedAt : null);
      }),
    );
  });

  it('adds each state to the timeline once, with its time and source', () => {
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

  it('has the same result when an update is repeated', () => {
    fc.assert(
      fc.property(updates, update, (news, twice) => {
        const after = applyUpdate(follow(news), twice, { at: 100_000, source: 'QUERY' });
        if (after) expect(applyUpdate(after, twice, { at: 200_000, source: 'QUERY' })).toBeNull();
      }),
    );
  });

  it('ignores every earlier update that is repeated later', () => {
    fc.assert(
      fc.property(updates, (news) => {
        const task = follow(news);
        for (const again of news)
          expect(applyUpdate(task, again, { at: 100_000, source: 'QUERY' })).toBeNull();
      }),
    );
  });

  it('never changes a known provider id', () => {
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

  it('never loses the credits', () => {
    fc.assert(
      fc.property(updates, (news) => {
        follow(news, (before, after) => {
          if (before.creditsConsumed !== null) expect(after.creditsConsumed).not.toBeNull();
        });
      }),
    );
  });

  it('mutates neither the task nor the update', () => {
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
