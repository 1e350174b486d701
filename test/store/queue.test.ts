import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import { NOW, amended, idsOf, insertHidden, insertVisible, saved, claimSubmissions } from './records.ts';
import { STORES } from './stores.ts';

/** Many stores or many tasks, each commit of which is synced to a disk that others use too. */
const SLOW = { timeout: 60_000 };

/** Claims submissions one by one until none waits, each in a new window from `from` on. */
async function takeAll(store: TaskStore, from: number): Promise<string[]> {
  const taken: string[] = [];
  for (let now = from; ; now += 20_000) {
    const ids = idsOf((await claimSubmissions(store, { now, limit: 1 })).records);
    if (ids.length === 0) return taken;
    taken.push(...ids);
  }
}

describe.each(STORES)('$name', ({ open }) => {
  it('the queue has the order in which tasks are claimed', SLOW, async () => {
    const { store } = await open();
    const owner = fc.constantFrom('ann', 'bob', 'cat');
    let now = NOW;
    await fc.assert(
      fc.asyncProperty(fc.array(owner, { maxLength: 8 }), async (owners) => {
        for (const [index, one] of owners.entries())
          await insertVisible(store, { owner: one, createdAt: NOW + index });
        now += 1_000_000;
        const queue = await store.queue(now);
        expect(queue).toHaveLength(owners.length);
        expect(await takeAll(store, now)).toEqual(queue);
      }),
      { numRuns: 15 },
    );
  });

  it('the queue includes hidden tasks and ends with delayed ones', async () => {
    const { store } = await open();
    const putOff = await insertVisible(store, { submitAt: NOW + 1000 });
    const hidden = await insertHidden(store, { createdAt: NOW + 1 });
    const bobs = await insertVisible(store, { owner: 'bob', createdAt: NOW + 2 });
    expect(await store.queue(NOW)).toEqual([hidden.id, bobs.id, putOff.id]);
    expect(await store.queue(NOW + 1000)).toEqual([putOff.id, bobs.id, hidden.id]);
  });

  it('the queue leaves out tasks that were sent, refused or have ended', async () => {
    const { store } = await open();
    await insertVisible(store);
    await claimSubmissions(store);
    const refused = await insertHidden(store);
    await amended(store, {
      ...refused,
      refusal: { code: 'INVALID_INPUT', providerCode: '422', message: 'no' },
    });
    const ended = await insertVisible(store);
    await saved(store, { ...ended, state: 'FAIL' });
    const unknown = await insertVisible(store);
    await amended(store, { ...unknown, unknownSince: NOW });
    expect(await store.queue(NOW)).toEqual([]);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('durations start when the provider accepts a task, newest first', async () => {
    const { store } = await open();
    const finish = async (minute: number, timeline: readonly string[]): Promise<void> => {
      const at = NOW + minute * 60_000;
      const steps = timeline.map((state, index) => ({
        state: state as 'SUBMITTING',
        at: at - 10_000 * (timeline.length - index),
        source: 'QUERY' as const,
      }));
      await insertVisible(store, { state: 'SUCCESS', completedAt: at, timeline: steps });
    };
    await finish(2, ['SUBMITTING', 'WAITING', 'GENERATING']);
    await finish(3, ['SUBMITTING', 'GENERATING']);
    await finish(1, ['SUBMITTING', 'WAITING', 'QUEUING', 'GENERATING']);
    await insertVisible(store, { state: 'FAIL', completedAt: NOW + 300_000 });
    expect(await store.newestDurations(100)).toEqual([10_000, 20_000, 30_000]);
    expect(await store.newestDurations(2)).toEqual([10_000, 20_000]);
  });

  it('durations start at the creation if the acceptance is not recorded', async () => {
    const { store } = await open();
    await insertVisible(store, { state: 'SUCCESS', completedAt: NOW + 5000, timeline: [] });
    expect(await store.newestDurations(100)).toEqual([5000]);
  });
});
