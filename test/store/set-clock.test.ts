import { describe, expect, it } from 'vitest';
import { openConnections } from '../../src/store/open-connections.ts';
import { createSlotClock } from '../../src/store/rate-slots.ts';
import { temporaryDir } from '../support/gateway.ts';
import { onTestEnd, recordFailure } from '../support/leftovers.ts';
import { NOW, idsOf, insertHidden, insertVisible, hiddenTask, claimSubmissions } from './records.ts';
import { STORES } from './stores.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const fail = (error: unknown): void => {
  recordFailure(String(error));
};
/** As `claimSubmissions` counts. */
const WINDOW = 10_000;

describe.each(STORES)('when the clock is set, $name', ({ open }) => {
  it.each([
    ['an hour ahead', HOUR],
    ['five minutes back', -5 * MINUTE],
  ])('frees no slot of the create limit early, nor late: %s', async (_what, jump) => {
    const { store } = await open();
    for (let task = 0; task < 4; task += 1) await insertVisible(store, { submitAt: NOW - HOUR });
    const taken = async (elapsed: number, clock: number): Promise<number> =>
      (await claimSubmissions(store, { now: clock + elapsed, elapsed: () => elapsed })).records.length;
    expect(await taken(0, NOW)).toBe(2);
    expect(await taken(1000, NOW + jump)).toBe(0);
    expect(await taken(WINDOW - 1, NOW + jump)).toBe(0);
    expect(await taken(WINDOW, NOW + jump)).toBe(2);
  });

  it('says when the next turn can be taken by the clock as it is now', async () => {
    const { store } = await open();
    for (let task = 0; task < 3; task += 1) await insertVisible(store, { submitAt: NOW - HOUR });
    await claimSubmissions(store, { now: NOW, elapsed: () => 0 });
    const { nextAt } = await claimSubmissions(store, { now: NOW - MINUTE, elapsed: () => 1000 });
    expect(nextAt).toBe(NOW - MINUTE + WINDOW - 1000);
  });

  it('lets the next process wait no longer than one window for slots that lie in its future', async () => {
    const first = await open();
    for (let task = 0; task < 4; task += 1) await insertVisible(first.store, { submitAt: NOW - HOUR });
    await claimSubmissions(first.store, { now: NOW, elapsed: () => 0 });
    const { store } = await first.reopen();
    const taken = async (elapsed: number): Promise<number> =>
      (await claimSubmissions(store, { now: NOW - 5 * MINUTE + elapsed, elapsed: () => elapsed })).records
        .length;
    expect([await taken(0), await taken(WINDOW - 1), await taken(WINDOW)]).toEqual([0, 0, 2]);
  });

  it('keeps to the query limit as well', async () => {
    const { store } = await open();
    for (let task = 0; task < 4; task += 1)
      await insertVisible(store, { state: 'WAITING', nextCheckAt: NOW - 2 * HOUR });
    const claimed = async (now: number, elapsed: number): Promise<number> => {
      const times = { now: () => now, elapsed: () => elapsed };
      return (await store.claimDue({ ...times, leaseMs: 30_000, limitPerSecond: 2 })).records.length;
    };
    expect(await claimed(NOW, 0)).toBe(2);
    expect(await claimed(NOW - HOUR, 999)).toBe(0);
    expect(await claimed(NOW - HOUR, 1000)).toBe(2);
  });

  it('makes due what was planned by a clock that was ahead, but no conclusion about a create call', async () => {
    const { store } = await open();
    const checked = await insertVisible(store, { state: 'WAITING', nextCheckAt: NOW + HOUR });
    const sent = await insertVisible(store, { markedAt: NOW, nextCheckAt: NOW + HOUR });
    const putOff = await insertVisible(store, { submitAt: NOW + HOUR });
    await store.clockWentBack(NOW);
    expect((await store.get(checked.id))?.nextCheckAt).toBe(NOW);
    expect((await store.get(putOff.id))?.submitAt).toBe(NOW);
    expect(await store.get(sent.id)).toEqual(sent);
  });

  it('counts tasks from a clock that was ahead for the caps of their owner for no more than one window', async () => {
    const { store } = await open();
    const cap = { limit: 1, windowMs: MINUTE };
    await insertHidden(store, { createdAt: NOW + HOUR });
    expect(await store.insert(hiddenTask(), [cap])).toHaveProperty('id');
    expect(await store.insert(hiddenTask(), [cap])).toHaveProperty('cap');
  });

  it('sends no hidden task whose lease has run out meanwhile', async () => {
    const { store } = await open();
    await insertHidden(store, { submitLeaseUntil: NOW });
    const leased = await insertHidden(store, { submitLeaseUntil: NOW + 1 });
    expect(idsOf((await claimSubmissions(store)).records)).toEqual([leased.id]);
  });
});

it('slots that others take while the clock of slots looks for the newest one do not put it ahead', async () => {
  const location = { kind: 'sqlite', dataDir: await temporaryDir() } as const;
  const { close, writer } = await openConnections(location, { mayMigrate: true, onError: fail });
  onTestEnd(close);
  let passed = 0;
  const slotClock = createSlotClock();
  const read = (): Promise<number> =>
    slotClock(writer, 'create', { now: () => NOW + passed, elapsed: () => passed });
  await writer
    .insertInto('slots')
    .values({ kind: 'create', owner: 'ann', taken_at: NOW + 100 })
    .execute();
  const first = read();
  // As long as that query takes.
  passed = 100;
  expect(await first).toBe(NOW + 100);
  passed = 200;
  expect(await read()).toBe(NOW + 200);
});
