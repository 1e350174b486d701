import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import { NOW, PROCESS, idsOf, insertVisible } from './records.ts';
import { STORES } from './stores.ts';

const WINDOW = 10_000;

/** Takes the `window`-th window's slots, none of which was taken before. */
async function takeIn(store: TaskStore, window: number, limit: number) {
  const now = NOW + window * WINDOW;
  const turns = {
    now: () => now,
    limit,
    processId: PROCESS,
    attempt: randomUUID(),
    windowMs: WINDOW,
    checkAfterMs: 90_000,
  };
  return (await store.claimSubmissions(turns)).records;
}

/** Tasks of an owner that were created one millisecond after the other. */
async function insertQueue(store: TaskStore, owner: string, count: number, since = NOW): Promise<string[]> {
  const tasks = Array.from({ length: count }, (_, n) =>
    insertVisible(store, { owner, createdAt: since + n }),
  );
  return idsOf(await Promise.all(tasks));
}

describe.each(STORES)('$name', ({ open }) => {
  it('owners get equal shares, however long their queues are', async () => {
    const { store } = await open();
    await insertQueue(store, 'ann', 10);
    const bobs = await insertQueue(store, 'bob', 2, NOW + 1000);
    const taken = await takeIn(store, 0, 4);
    expect(taken.filter(({ owner }) => owner === 'ann')).toHaveLength(2);
    expect(idsOf(taken.filter(({ owner }) => owner === 'bob')).sort()).toEqual(bobs.sort());
  });

  it('owners alternate if slots become free one at a time', async () => {
    const { store } = await open();
    await insertQueue(store, 'ann', 5);
    await insertQueue(store, 'bob', 3, NOW + 1000);
    const owners: (string | undefined)[] = [];
    for (let window = 0; window < 8; window += 1)
      owners.push((await takeIn(store, window, 1)).map(({ owner }) => owner).join());
    expect(owners).toEqual(['ann', 'bob', 'ann', 'bob', 'ann', 'bob', 'ann', 'ann']);
  });

  it('the owner served longest ago comes next, after owners never served', async () => {
    const { store } = await open();
    await insertQueue(store, 'ann', 3);
    await insertQueue(store, 'bob', 3, NOW + 1);
    await takeIn(store, 0, 1);
    await takeIn(store, 1, 1);
    await insertQueue(store, 'eve', 1, NOW + 5000);
    const owners: string[] = [];
    for (let window = 2; window < 5; window += 1)
      owners.push(...(await takeIn(store, window, 1)).map(({ owner }) => owner));
    expect(owners).toEqual(['eve', 'ann', 'bob']);
  });

  it('one owner gets all slots if no other waits', async () => {
    const { store } = await open();
    const ids = await insertQueue(store, 'ann', 5);
    expect(idsOf(await takeIn(store, 0, 5)).sort()).toEqual(ids.sort());
  });

  it('the oldest task of an owner comes first', async () => {
    const { store } = await open();
    const young = await insertVisible(store, { createdAt: NOW + 2 });
    const old = await insertVisible(store, { createdAt: NOW });
    const middle = await insertVisible(store, { createdAt: NOW + 1 });
    const ids: string[] = [];
    for (let window = 0; window < 3; window += 1) ids.push(...idsOf(await takeIn(store, window, 1)));
    expect(ids).toEqual([old.id, middle.id, young.id]);
  });

  it('a delayed task does not block the younger tasks of its owner', async () => {
    const { store } = await open();
    await insertVisible(store, { createdAt: NOW - 1000, submitAt: NOW + 60_000 });
    const ready = await insertVisible(store);
    expect(idsOf(await takeIn(store, 0, 1))).toEqual([ready.id]);
  });

  it('the shares of owners that always wait differ by at most one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 }),
        async (slots) => {
          const { close, store } = await open();
          const total = slots.reduce((sum, limit) => sum + limit, 0);
          for (const owner of ['ann', 'bob', 'eve']) await insertQueue(store, owner, total);
          const served = { ann: 0, bob: 0, eve: 0 };
          for (const [window, limit] of slots.entries()) {
            for (const { owner } of await takeIn(store, window, limit))
              served[owner as keyof typeof served] += 1;
            const counts = Object.values(served);
            expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
          }
          expect(served.ann + served.bob + served.eve).toBe(total);
          await close();
        },
      ),
      { numRuns: 10 },
    );
  });
});
