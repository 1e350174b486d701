import { describe, expect, it } from 'vitest';
import { openConnections } from '../../src/store/open-connections.ts';
import { createSlotClock } from '../../src/store/rate-slots.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { onTestEnd, recordFailure } from '../kit/waits.ts';
import { NOW, idsOf, insertHidden, insertVisible, hiddenTask, claimSubmissions } from './records.ts';
import { STORES } from './stores.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const fail = (error: unknown): void => {
  recordFailure(String(error));
};
/** As `claimSubmissions` counts. */
const WINDOW = 10_000;

describe.each(STORES)('$name', ({ open }) => {
  it.each([
    ['an hour ahead', HOUR],
    ['five minutes back', -5 * MINUTE],
  ])('a clock set %s frees no slot of the create limit early or late', async (_what, jump) => {
    const { store } = await open();
    for (let task = 0; task < 4; task += 1) await insertVisible(store, { submitAt: NOW - HOUR });
    const taken = async (elapsed: number, clock: number): Promise<number> =>
      (await claimSubmissions(store, { now: clock + elapsed, elapsed: () => elapsed })).records.length;
    expect(await taken(0, NOW)).toBe(2);
    expect(await taken(1000, NOW + jump)).toBe(0);
    expect(await taken(WINDOW - 1, NOW + jump)).toBe(0);
    expect(await taken(WINDOW, NOW + jump)).toBe(2);
  });

  it('a claim returns its next time by the clock as it is now', async () => {
    const { store } = await open();
    for (let task = 0; task < 3; task += 1) await insertVisible(store, { submitAt: NOW - HOUR });
    await claimSubmissions(store, { now: NOW, elapsed: () => 0 });
    const { nextAt } = await claimSubmissions(store, { now: NOW - MINUTE, elapsed: () => 1000 });
    expect(nextAt).toBe(NOW - MINUTE + WINDOW - 1000);
  });

  it('slots in the future delay the next process by at most one window', async () => {
    const first = await open();
    for (let task = 0; task < 4; task += 1) await insertVisible(first.store, { submitAt: NOW - HOUR });
    await claimSubmissions(first.store, { now: NOW, elapsed: () => 0 });
    const { store } = await first.reopen();
    const taken = async (elapsed: number): Promise<number> =>
      (await claimSubmissions(store, { now: NOW - 5 * MINUTE + elapsed, elapsed: () => elapsed })).records
        .length;
    expect([await taken(0), await taken(WINDOW - 1), await taken(WINDOW)]).toEqual([0, 0, 2]);
  });

  it('a clock set back frees no slot of the query limit early', async () => {
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

  it('a clock set back makes planned work due, except conclusions about create calls', async () => {
    const { store } = await open();
    const checked = await insertVisible(store, { state: 'WAITING', nextCheckAt: NOW + HOUR });
    const sent = await insertVisible(store, { markedAt: NOW, nextCheckAt: NOW + HOUR });
    const putOff = await insertVisible(store, { submitAt: NOW + HOUR });
    await store.clockWentBack(NOW);
    expect((await store.get(checked.id))?.nextCheckAt).toBe(NOW);
    expect((await store.get(putOff.id))?.submitAt).toBe(NOW);
    expect(await store.get(sent.id)).toEqual(sent);
  });

  it('a task from the far future does not count against a cap', async () => {
    const { store } = await open();
    const cap = { limit: 1, windowMs: MINUTE };
    await insertHidden(store, { createdAt: NOW + HOUR });
    expect(await store.insert(hiddenTask(), [cap])).toHaveProperty('id');
    expect(await store.insert(hiddenTask(), [cap])).toHaveProperty('cap');
  });

  it('a hidden task with an expired lease is not claimed', async () => {
    const { store } = await open();
    await insertHidden(store, { submitLeaseUntil: NOW });
    const leased = await insertHidden(store, { submitLeaseUntil: NOW + 1 });
    expect(idsOf((await claimSubmissions(store)).records)).toEqual([leased.id]);
  });
});

it('slots that others take during its query do not put the slot clock ahead', async () => {
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
