import { describe, expect, it } from 'vitest';
import type { Claim, TaskStore } from '../../src/tasks/store.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import {
  FAILURE,
  NOW,
  amended,
  claimDue,
  claimSubmissions,
  idsOf,
  insertHidden,
  insertVisible,
  saved,
} from './records.ts';
import { STORES, toldSoFar } from './stores.ts';

const LEASE = 30_000;

/** Claims submissions in an attempt. */
function take(store: TaskStore, attempt: string, now = NOW, limit = 2): Promise<Claim> {
  return claimSubmissions(store, { attempt, now, limit });
}

/** Claims the only task that waits. */
async function takeOne(store: TaskStore, attempt = 'one'): Promise<TaskRecord> {
  const [marked] = (await take(store, attempt)).records;
  if (!marked) throw new Error('nothing was marked');
  return marked;
}

/** Tasks, and whether a claim at NOW takes them, or they wait, or neither. */
const TASKS: readonly (readonly [
  string,
  typeof insertHidden,
  'taken' | 'waits' | 'left out',
  Partial<TaskRecord>,
])[] = [
  ['visible', insertVisible, 'taken', {}],
  ['visible and leased by another process', insertVisible, 'taken', { submitLeaseBy: 'other' }],
  ['hidden', insertHidden, 'taken', {}],
  ['hidden and leased by another process', insertHidden, 'waits', { submitLeaseBy: 'other' }],
  ['hidden with an expired lease', insertHidden, 'waits', { submitLeaseUntil: NOW }],
  ['delayed', insertVisible, 'waits', { submitAt: NOW + 1, notNowCount: 1 }],
  ['marked', insertVisible, 'left out', { markedAt: NOW - 1 }],
  ['refused', insertHidden, 'left out', { refusal: FAILURE }],
  ['unknown', insertVisible, 'left out', { unknownSince: NOW }],
  ['accepted', insertVisible, 'left out', { state: 'WAITING' }],
  ['successful', insertVisible, 'left out', { state: 'SUCCESS' }],
  ['failed', insertVisible, 'left out', { state: 'FAIL' }],
];

/** What is known of a call that somebody has made for a marked task, and whether its attempt still returns it. */
const OUTCOMES: readonly (readonly [string, Partial<TaskRecord>])[] = [
  ['accepted', { state: 'WAITING', providerTaskId: 'kie-1' }],
  ['refused', { refusal: FAILURE }],
  ['failed', { state: 'FAIL', failure: FAILURE }],
  ['to be sent later', { markedAt: null, submitAt: NOW + 60_000 }],
];

describe.each(STORES)('$name', ({ open }) => {
  it('a claim of submissions stores its marks and first polls, and is no visible change', async () => {
    const { store, told } = await open();
    const task = await insertVisible(store);
    await toldSoFar({ store, told });
    const { nextAt, records } = await claimSubmissions(store);
    expect(records).toEqual([
      { ...task, markedAt: NOW, nextCheckAt: NOW + 90_000, version: task.version + 1 },
    ]);
    expect(nextAt).toBeNull();
    expect(await store.newestRevision()).toBe(task.revision);
    expect(await store.get(task.id)).toEqual(records[0]);
    expect([await store.save({ ...task, state: 'FAIL' }), await store.amend(task)]).toEqual([null, null]);
    expect(told.flat()).toEqual([task]);
    expect(await claimSubmissions(store)).toEqual({ records: [], nextAt: null });
  });

  it('a claim of submissions takes what waits, hidden tasks only by their own lease', async () => {
    const { store } = await open();
    for (const [id, insert, , fields] of TASKS) await insert(store, { id, ...fields });
    const taken = TASKS.flatMap(([id, , fate]) => (fate === 'taken' ? [id] : []));
    const waiting = TASKS.flatMap(([id, , fate]) => (fate === 'left out' ? [] : [id]));
    await insertVisible(store, { id: 'of bob', owner: 'bob', submitAt: NOW + 9 });
    expect((await store.queue(NOW)).toSorted()).toEqual(['of bob', ...waiting].sort());
    expect(await store.waitingByOwner()).toEqual(
      new Map([
        ['ann', waiting.length],
        ['bob', 1],
      ]),
    );
    const claim = await claimSubmissions(store, { limit: 100 });
    expect(idsOf(claim.records).sort()).toEqual(taken.sort());
    expect(claim.nextAt).toBe(NOW + 1);
    expect(idsOf((await claimSubmissions(store, { limit: 100, now: NOW + 1 })).records)).toEqual(['delayed']);
  });

  it('each provider has tasks and rate slots of its own', async () => {
    const { store } = await open();
    const [mine, theirs] = [await insertVisible(store), await insertVisible(store, { provider: 'other' })];
    for (const [provider, task] of [
      ['kie', mine],
      ['other', theirs],
    ] as const) {
      const limits = { provider, limit: 1 };
      expect(idsOf((await claimSubmissions(store, limits)).records)).toEqual([task.id]);
      expect(await claimSubmissions(store, limits)).toEqual({ records: [], nextAt: null });
      const fields = { provider, state: 'WAITING', nextCheckAt: NOW } as const;
      for (let count = 0; count < 2; count += 1) await insertVisible(store, fields);
      for (const taken of [[provider], []]) {
        const { records } = await claimDue(store, NOW, 1, provider);
        expect(records.map((record) => record.provider)).toEqual(taken);
      }
    }
  });

  it('a task is claimed again only after its mark was undone, and takes another slot', async () => {
    const { store } = await open();
    await insertVisible(store);
    const marked = await takeOne(store);
    expect((await claimSubmissions(store)).records).toEqual([]);
    await amended(store, { ...marked, markedAt: null, nextCheckAt: null });
    expect(idsOf((await claimSubmissions(store)).records)).toEqual([marked.id]);
    await insertVisible(store);
    expect((await claimSubmissions(store)).records).toEqual([]);
  });
});

describe.each(STORES)('a repeated attempt: $name', ({ open }) => {
  it('a repeated attempt returns the stored records that it marked and takes no second slot', async () => {
    const opened = await open();
    const [hidden, visible] = [await insertHidden(opened.store), await insertVisible(opened.store)];
    const first = await take(opened.store, 'one');
    expect(idsOf(first.records).sort()).toEqual([hidden.id, visible.id].sort());
    const third = await insertVisible(opened.store);
    expect(new Set((await take(opened.store, 'one', NOW + 1)).records)).toEqual(new Set(first.records));
    // The next process may repeat it as well.
    const { store } = await opened.reopen();
    expect(new Set((await take(store, 'one')).records)).toEqual(new Set(first.records));
    for (const record of first.records) expect(await store.get(record.id)).toEqual(record);
    expect((await take(store, 'two')).records).toEqual([]);
    expect(idsOf((await take(store, 'two', NOW, 3)).records)).toEqual([third.id]);
    expect(idsOf((await take(store, 'one')).records).sort()).toEqual([hidden.id, visible.id].sort());
  });

  it('a repeated attempt leaves out tasks that have an outcome, and returns what became visible', async () => {
    const { store } = await open();
    for (const [id] of OUTCOMES) await insertHidden(store, { id });
    const hidden = await insertHidden(store);
    const marked = new Map((await take(store, 'one', NOW, 9)).records.map((record) => [record.id, record]));
    for (const [id, outcome] of OUTCOMES) await amended(store, { ...(marked.get(id) ?? hidden), ...outcome });
    const announced = await saved(store, marked.get(hidden.id) ?? hidden);
    expect((await take(store, 'one', NOW, 9)).records).toEqual([announced]);
  });

  it('a repeated attempt leaves out a task that another attempt has marked since', async () => {
    const { store } = await open();
    await insertVisible(store);
    const marked = await takeOne(store, 'one');
    await amended(store, { ...marked, markedAt: null, nextCheckAt: null });
    expect((await takeOne(store, 'two')).id).toBe(marked.id);
    expect((await take(store, 'one')).records).toEqual([]);
  });

  it('a repeated attempt claims its task again after its outcome was recorded as unknown', async () => {
    const { store } = await open();
    await insertHidden(store);
    const marked = await takeOne(store);
    const doubted = await saved(store, { ...marked, unknownSince: NOW + 90_000, nextCheckAt: NOW + 99_000 });
    expect((await take(store, 'two', NOW + 91_000)).records).toEqual([]);
    const markedAt = NOW + 92_000;
    expect((await take(store, 'one', markedAt)).records).toEqual([
      {
        ...doubted,
        markedAt,
        nextCheckAt: markedAt + 90_000,
        unknownSince: null,
        version: doubted.version + 2,
      },
    ]);
  });

  it('a repeated attempt takes new rate slots if the old ones have expired', async () => {
    const { store } = await open();
    const tasks = [await insertVisible(store), await insertVisible(store)];
    await take(store, 'one');
    const third = await insertVisible(store);
    const now = NOW + 10_000;
    expect(idsOf((await take(store, 'two', now, 1)).records)).toEqual([third.id]);
    expect((await take(store, 'one', now, 1)).records).toEqual([]);
    expect(idsOf((await take(store, 'one', now + 10_000)).records).sort()).toEqual(idsOf(tasks).sort());
  });
});

describe.each(STORES)('polls: $name', ({ open }) => {
  const insertDue = (store: TaskStore, nextCheckAt = NOW) =>
    insertVisible(store, { state: 'WAITING', nextCheckAt });

  it('a claim of polls takes the most overdue tasks, and returns when the next one is due', async () => {
    const { store } = await open();
    await insertVisible(store, { state: 'SUCCESS' });
    expect(await claimDue(store)).toEqual({ records: [], nextAt: null });
    const fresh = await insertDue(store, NOW - 1);
    const [older, oldest] = [await insertDue(store, NOW - 2000), await insertDue(store, NOW - 3000)];
    const later = await insertDue(store, NOW + 5000);
    await insertDue(store, NOW + 9000);
    expect(idsOf((await claimDue(store, NOW, 2)).records).sort()).toEqual([older.id, oldest.id].sort());
    const second = await claimDue(store, NOW + 1000, 2);
    expect([idsOf(second.records), second.nextAt]).toEqual([[fresh.id], NOW + 5000]);
    expect(await claimDue(store, NOW + 4999)).toEqual({ records: [], nextAt: NOW + 5000 });
    const third = await claimDue(store, NOW + 5000);
    expect([idsOf(third.records), third.nextAt]).toEqual([[later.id], NOW + 9000]);
  });

  it('a claim of polls returns tasks as stored, hidden ones included, and changes only their lease', async () => {
    const { store, told } = await open();
    const tasks = [
      await insertDue(store),
      await insertHidden(store, { markedAt: NOW - 1, nextCheckAt: NOW }),
    ];
    await toldSoFar({ store, told });
    const leased = tasks.map((task) => ({ ...task, checkLeaseUntil: NOW + LEASE }));
    expect(new Set((await claimDue(store)).records)).toEqual(new Set(leased));
    for (const task of leased) expect(await store.get(task.id)).toEqual(task);
    expect(told.flat()).toEqual(tasks.slice(0, 1));
    for (const task of tasks) expect(await store.amend(task)).not.toBeNull();
  });

  it('a poll lease excludes other claims until it expires, also those of the next process', async () => {
    const opened = await open();
    const task = await insertDue(opened.store);
    await claimDue(opened.store);
    const { store } = await opened.reopen();
    expect((await claimDue(store, NOW + LEASE - 1)).records).toEqual([]);
    expect(idsOf((await claimDue(store, NOW + LEASE)).records)).toEqual([task.id]);
  });

  it.each(['save', 'amend'] as const)('a poll lease ends with the next %s of the task', async (write) => {
    const { store } = await open();
    const task = await insertDue(store);
    await claimDue(store);
    await store[write]({ ...task, nextCheckAt: NOW + 1 });
    expect(idsOf((await claimDue(store, NOW + 1)).records)).toEqual([task.id]);
  });
});
