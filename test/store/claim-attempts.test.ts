import { describe, expect, it } from 'vitest';
import type { Claim, TaskStore } from '../../src/tasks/store.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import {
  FAILURE,
  NOW,
  amended,
  idsOf,
  insertHidden,
  insertVisible,
  saved,
  claimSubmissions,
} from './records.ts';
import { STORES } from './stores.ts';

/** Claims submissions in an attempt. */
function take(
  store: TaskStore,
  attempt: string,
  changes: Parameters<typeof claimSubmissions>[1] = {},
): Promise<Claim> {
  return claimSubmissions(store, { ...changes, attempt });
}

/** What is known of a call that somebody has made for a marked task. */
const OUTCOMES: readonly (readonly [string, Partial<TaskRecord>])[] = [
  ['accepted', { state: 'WAITING', providerTaskId: 'kie-1' }],
  ['refused', { refusal: FAILURE }],
  ['failed', { state: 'FAIL', failure: FAILURE }],
  ['to be sent later', { markedAt: null, submitAt: NOW + 60_000 }],
];

describe.each(STORES)('$name', ({ open }) => {
  it('a repeated attempt returns the stored records that it marked', async () => {
    const { store } = await open();
    const hidden = await insertHidden(store);
    const visible = await insertVisible(store);
    const first = await take(store, 'one');
    expect(idsOf(first.records).sort()).toEqual([hidden.id, visible.id].sort());
    const again = await take(store, 'one', { now: NOW + 1 });
    expect(new Set(again.records)).toEqual(new Set(first.records));
    for (const record of again.records) expect(await store.get(record.id)).toEqual(record);
  });

  it('a repeated attempt takes no second rate slot', async () => {
    const { store } = await open();
    const first = await insertHidden(store);
    await take(store, 'one');
    await take(store, 'one');
    await take(store, 'one');
    const second = await insertHidden(store);
    const third = await insertHidden(store);
    expect(idsOf((await take(store, 'one')).records).sort()).toEqual([first.id, second.id].sort());
    expect((await take(store, 'two')).records).toEqual([]);
    expect(idsOf((await take(store, 'two', { limit: 3 })).records)).toEqual([third.id]);
  });

  it('a repeated attempt returns its records even if no rate slot is free', async () => {
    const { store } = await open();
    const task = await insertHidden(store);
    await take(store, 'one', { limit: 1 });
    const again = await take(store, 'one', { limit: 1 });
    expect(idsOf(again.records)).toEqual([task.id]);
  });

  it('the next process can repeat an attempt', async () => {
    const first = await open();
    const task = await insertVisible(first.store);
    await take(first.store, 'one');
    const { store } = await first.reopen();
    expect(idsOf((await take(store, 'one')).records)).toEqual([task.id]);
  });

  it('an attempt returns nothing that another attempt marked', async () => {
    const { store } = await open();
    const first = await insertVisible(store);
    await take(store, 'one');
    const second = await insertVisible(store);
    expect(idsOf((await take(store, 'two')).records)).toEqual([second.id]);
    expect(idsOf((await take(store, 'one')).records)).toEqual([first.id]);
    expect(idsOf((await take(store, 'two')).records)).toEqual([second.id]);
  });

  it.each(OUTCOMES)('a repeated attempt leaves out a task that is %s', async (_, outcome) => {
    const { store } = await open();
    await insertHidden(store);
    const [marked] = (await take(store, 'one')).records;
    if (!marked) throw new Error('nothing was marked');
    await amended(store, { ...marked, ...outcome });
    expect((await take(store, 'one')).records).toEqual([]);
  });

  it('a repeated attempt claims its task again after another process recorded the outcome as unknown', async () => {
    const { store } = await open();
    await insertHidden(store);
    const [marked] = (await take(store, 'one')).records;
    if (!marked) throw new Error('nothing was marked');
    const doubted = await saved(store, { ...marked, unknownSince: NOW + 90_000, nextCheckAt: NOW + 99_000 });
    expect((await take(store, 'two', { now: NOW + 91_000 })).records).toEqual([]);
    const now = NOW + 92_000;
    const { records } = await take(store, 'one', { now });
    expect(records).toEqual([
      {
        ...doubted,
        markedAt: now,
        nextCheckAt: now + 90_000,
        unknownSince: null,
        version: doubted.version + 2,
      },
    ]);
  });

  it('a repeated attempt takes a new rate slot if the old one has expired', async () => {
    const { store } = await open();
    const [one, two] = [await insertVisible(store), await insertVisible(store)];
    await take(store, 'one');
    const [three] = [await insertVisible(store)];
    const now = NOW + 10_000;
    expect(idsOf((await take(store, 'two', { now, limit: 1 })).records)).toEqual([three.id]);
    expect((await take(store, 'one', { now, limit: 1 })).records).toEqual([]);
    const again = await take(store, 'one', { now: now + 10_000 });
    expect(idsOf(again.records).sort()).toEqual([one.id, two.id].sort());
  });

  it('a repeated attempt returns a task that became visible meanwhile', async () => {
    const { store } = await open();
    await insertHidden(store);
    const [marked] = (await take(store, 'one')).records;
    if (!marked) throw new Error('nothing was marked');
    const announced = await saved(store, marked);
    expect((await take(store, 'one')).records).toEqual([announced]);
  });

  it('a repeated attempt leaves out a task that another attempt has marked since', async () => {
    const { store } = await open();
    const task = await insertHidden(store);
    const [marked] = (await take(store, 'one')).records;
    if (!marked) throw new Error('nothing was marked');
    await amended(store, { ...marked, markedAt: null, nextCheckAt: null });
    expect(idsOf((await take(store, 'two')).records)).toEqual([task.id]);
    expect((await take(store, 'one')).records).toEqual([]);
  });
});
