import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSlotClock } from '../../src/store/claims.ts';
import type { Claim, TaskStore } from '../../src/tasks/store.ts';
import {
  FAILURE,
  NOW,
  PROVIDER,
  amended,
  claimDue,
  claimSubmissions,
  idsOf,
  insertHidden,
  insertVisible,
} from './records.ts';
import { STORES } from './stores.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const WINDOW = 10_000;

/** Claims submissions in the `window`-th window, none of whose slots was taken before. */
async function takeIn(store: TaskStore, window: number, limit: number) {
  return (await claimSubmissions(store, { now: NOW + window * WINDOW, limit })).records;
}

/** Tasks of an owner that were created one millisecond after the other. */
async function insertQueue(store: TaskStore, owner: string, count: number, since = NOW): Promise<void> {
  for (let n = 0; n < count; n += 1) await insertVisible(store, { owner, createdAt: since + n });
}

async function ownersIn(store: TaskStore, windows: readonly number[]): Promise<string[]> {
  const owners: string[] = [];
  for (const window of windows) owners.push(...(await takeIn(store, window, 1)).map(({ owner }) => owner));
  return owners;
}

describe.each(STORES)('whose turn it is: $name', ({ open }) => {
  it('owners alternate, however long their queues are', async () => {
    const { store } = await open();
    await insertQueue(store, 'ann', 5);
    await insertQueue(store, 'bob', 3, NOW + 1000);
    const owners = await ownersIn(store, [0, 1, 2, 3, 4, 5, 6, 7]);
    expect(owners).toEqual(['ann', 'bob', 'ann', 'bob', 'ann', 'bob', 'ann', 'ann']);
  });

  it('the owner served longest ago comes next, after owners never served', async () => {
    const { store } = await open();
    await insertQueue(store, 'ann', 3);
    await insertQueue(store, 'bob', 3, NOW + 1);
    expect(await ownersIn(store, [0, 1])).toEqual(['ann', 'bob']);
    await insertQueue(store, 'eve', 1, NOW + 5000);
    expect(await ownersIn(store, [2, 3, 4])).toEqual(['eve', 'ann', 'bob']);
  });

  it('the oldest task of an owner comes first, and a delayed one does not block the others', async () => {
    const { store } = await open();
    const delayed = await insertVisible(store, { createdAt: NOW - 1000, submitAt: NOW + MINUTE });
    const young = await insertVisible(store, { createdAt: NOW + 2 });
    const old = await insertHidden(store, { createdAt: NOW });
    const bobs = await insertVisible(store, { owner: 'bob', createdAt: NOW + 1 });
    const order = idsOf([old, bobs, young]);
    expect(await store.queue(NOW)).toEqual([...order, delayed.id]);
    expect(await store.queue(NOW + MINUTE)).toEqual([delayed.id, bobs.id, old.id, young.id]);
    for (const id of order)
      expect(idsOf((await claimSubmissions(store, { limit: 1, windowMs: 0 })).records)).toEqual([id]);
  });

  it('tasks are claimed in the order of the queue, in shares that differ by at most one', async () => {
    const { store } = await open();
    let window = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
        async (limits) => {
          const total = limits.reduce((sum, limit) => sum + limit, 0);
          const owners = ['ann', 'bob', 'eve'].map((name) => `${name}-${window}`);
          await Promise.all(owners.map((owner) => insertQueue(store, owner, total)));
          const queue = await store.queue(NOW);
          const served = new Map(owners.map((owner) => [owner, 0]));
          const taken: string[] = [];
          for (const limit of [...limits, 2 * total]) {
            const claimed = await takeIn(store, (window += 1), limit);
            taken.push(...idsOf(claimed));
            for (const { owner } of claimed) served.set(owner, (served.get(owner) ?? 0) + 1);
            expect(Math.max(...served.values()) - Math.min(...served.values())).toBeLessThanOrEqual(1);
          }
          expect(taken).toEqual(queue);
          expect(taken).toHaveLength(3 * total);
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe.each(STORES)('whose turn to be polled it is: $name', ({ open }) => {
  const insertDue = (store: TaskStore, owner: string, id: string, overdueMs: number) =>
    insertVisible(store, { id, owner, state: 'WAITING', nextCheckAt: NOW - overdueMs });

  it('owners alternate, however many polls of one are overdue, most overdue first', async () => {
    const { store } = await open();
    for (let n = 1; n <= 5; n += 1) await insertDue(store, 'ann', `ann-${n}`, HOUR - n);
    await insertDue(store, 'bob', 'bob-2', 1);
    await insertDue(store, 'bob', 'bob-1', 2);
    await insertDue(store, 'eve', 'eve-1', -1);
    const polled: string[] = [];
    for (let second = 0; second < 7; second += 1)
      polled.push(...idsOf((await claimDue(store, NOW + second * 1000, 1)).records));
    // The poll of eve becomes due during the first claims.
    expect(polled).toEqual(['ann-1', 'bob-1', 'eve-1', 'ann-2', 'bob-2', 'ann-3', 'ann-4']);
  });

  it('one claim of many has a share for each owner', async () => {
    const { store } = await open();
    for (let n = 1; n <= 9; n += 1) await insertDue(store, 'ann', `ann-${n}`, HOUR - n);
    for (let n = 1; n <= 2; n += 1) await insertDue(store, 'bob', `bob-${n}`, 9 - n);
    const { records } = await claimDue(store, NOW, 6);
    expect(idsOf(records).sort()).toEqual(['ann-1', 'ann-2', 'ann-3', 'ann-4', 'bob-1', 'bob-2']);
  });
});

/** The two limits, two calls in a window each. `due` is a task that waits for its call. */
const LIMITS = [
  {
    name: 'create',
    windowMs: WINDOW,
    due: (store: TaskStore) => insertVisible(store, { submitAt: 0 }),
    claim: (store: TaskStore, now: number, elapsed?: number): Promise<Claim> =>
      claimSubmissions(store, { now, elapsed: elapsed === undefined ? undefined : () => elapsed }),
  },
  {
    name: 'query',
    windowMs: 1000,
    due: (store: TaskStore) => insertVisible(store, { state: 'WAITING', nextCheckAt: 0 }),
    claim: (store: TaskStore, now: number, elapsed?: number): Promise<Claim> =>
      store.claimDue({
        now: () => now,
        elapsed: elapsed === undefined ? undefined : () => elapsed,
        leaseMs: 30_000,
        limitPerSecond: 2,
        provider: PROVIDER,
      }),
  },
];
const EACH = STORES.flatMap(({ name: store, open }) => LIMITS.map((limit) => ({ ...limit, store, open })));

describe.each(EACH)('the $name limit: $store', ({ claim, due, open, windowMs }) => {
  const dueTasks = async (store: TaskStore, count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) await due(store);
  };

  it('the limit holds in every window, however the clock is set, and no slot is free late', async () => {
    const { store } = await open();
    const taken: number[] = [];
    let elapsed = 0;
    const step = fc.record({
      wait: fc.constantFrom(1, 0.1 * windowMs, 0.4 * windowMs, windowMs - 1, windowMs),
      clock: fc.constantFrom(0, 0, HOUR, -5 * MINUTE),
      wishes: fc.integer({ min: 0, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        for (const { clock, wait, wishes } of steps) {
          elapsed += wait;
          const now = NOW + clock + elapsed;
          // One more than can be taken: it waits for the next slot.
          await dueTasks(store, 3);
          const before = taken.filter((at) => at > elapsed - windowMs);
          const { nextAt, records } = await claim(store, now, elapsed);
          expect(records).toHaveLength(2 - before.length);
          taken.push(...records.map(() => elapsed));
          expect(nextAt).toBe(now + (before[0] ?? elapsed) + windowMs - elapsed);
          for (let more = 0; more < wishes; more += 1)
            expect((await claim(store, now, elapsed)).records).toEqual([]);
        }
      }),
      { numRuns: 8 },
    );
  });

  it('the limit counts the calls of earlier processes, slots in the future for one window', async () => {
    const opened = await open();
    await dueTasks(opened.store, 5);
    await claim(opened.store, NOW);
    const next = await opened.reopen();
    expect(await claim(next.store, NOW + windowMs / 2)).toEqual({ records: [], nextAt: NOW + windowMs });
    const { store } = await next.reopen();
    const taken = async (elapsed: number): Promise<number> =>
      (await claim(store, NOW - 5 * MINUTE + elapsed, elapsed)).records.length;
    expect([await taken(0), await taken(windowMs - 1), await taken(windowMs)]).toEqual([0, 0, 2]);
  });

  it('the limit does not count the other kind of calls', async () => {
    const { store } = await open();
    for (const other of LIMITS) {
      await other.due(store);
      await other.due(store);
    }
    for (const other of LIMITS) expect((await other.claim(store, NOW)).records).toHaveLength(2);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('refused calls count against the create limit', async () => {
    const { store } = await open();
    for (let n = 0; n < 2; n += 1) await insertHidden(store);
    for (const task of (await claimSubmissions(store)).records)
      await amended(store, { ...task, refusal: FAILURE });
    await insertVisible(store);
    expect((await claimSubmissions(store)).records).toEqual([]);
  });

  it('a clock set back makes planned work due, except conclusions about create calls', async () => {
    const { store } = await open();
    const checked = await insertVisible(store, { state: 'WAITING', nextCheckAt: NOW + HOUR });
    const sent = await insertVisible(store, { markedAt: NOW, nextCheckAt: NOW + HOUR });
    const putOff = await insertVisible(store, { submitAt: NOW + HOUR });
    const other = await insertVisible(store, { model: 'kling-2.6/image-to-video', submitAt: NOW + HOUR });
    await store.clockWentBack(NOW);
    expect((await store.get(checked.id))?.nextCheckAt).toBe(NOW);
    for (const { id } of [putOff, other]) expect((await store.get(id))?.submitAt).toBe(NOW);
    expect(await store.get(sent.id)).toEqual(sent);
  });

  it('slots that others take during its query do not put the slot clock ahead', async () => {
    const { writer } = (await open()).connections;
    let passed = 0;
    const slotClock = createSlotClock();
    const read = (): Promise<number> =>
      slotClock(writer, 'create', { now: () => NOW + passed, elapsed: () => passed });
    const slot = { kind: 'create', provider: PROVIDER, owner: 'ann', taken_at: NOW + 100 } as const;
    await writer.insertInto('slots').values(slot).execute();
    const first = read();
    // As long as that query takes.
    passed = 100;
    expect(await first).toBe(NOW + 100);
    passed = 200;
    expect(await read()).toBe(NOW + 200);
  });
});
