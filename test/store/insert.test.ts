import { describe, expect, it } from 'vitest';
import { countWaiting } from '../kit/count-waiting.ts';
import { FAILURE, NOW, amended, hiddenTask, insertHidden } from './records.ts';
import { STORES } from './stores.ts';

describe.each(STORES)('$name', ({ open }) => {
  it('an inserted task keeps all its fields across a restart', async () => {
    const opened = await open();
    const record = hiddenTask({
      owner: 'ann',
      state: 'FAIL',
      prompt: 'a "quoted"\n\tprompt, 雪, 🎞️',
      endImageUrl: 'https://files.example/last.png',
      promptOptimizer: false,
      videos: [{ url: 'https://files.example/1.mp4', expiresAt: NOW + 1 }],
      failure: FAILURE,
      providerTaskId: 'kie-1',
      creditsConsumed: 57.5,
      updatedAt: NOW + 1,
      completedAt: NOW + 2,
      idempotencyKey: 'key',
      inputHash: 'another hash',
      submitLeaseBy: 'process-2',
      submitLeaseUntil: NOW + 3,
      submitAt: NOW + 4,
      notNowCount: 2,
      notNowSince: NOW + 5,
      markedAt: NOW + 6,
      unknownSince: NOW + 7,
      refusal: { code: 'UNKNOWN', providerCode: null, message: 'no' },
      unverifiedProviderTaskId: 'kie-2',
      nextCheckAt: NOW + 8,
    });
    expect(await opened.store.insert(record)).toEqual(record);
    const { store } = await opened.reopen();
    expect(await store.get(record.id)).toEqual(record);
  });

  it('an inserted task is hidden: it has no revision and is not published', async () => {
    const { store, told } = await open();
    const { id } = await insertHidden(store, { providerTaskId: 'kie-1' });
    expect(told).toEqual([]);
    expect(await store.newestRevision()).toBe(0);
    expect(await store.find('ann', id)).toBeNull();
    expect(await store.find('ann', 'kie-1')).toBeNull();
    expect(await store.page('ann', { limit: 10, below: null, states: [] })).toEqual([]);
    expect(await store.changesAfter('ann', 0, 10)).toEqual([]);
  });

  it('an unknown id finds no task', async () => {
    const { store } = await open();
    expect(await store.get('no-such-task')).toBeNull();
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('an insert with a used key adds nothing and returns the twin', async () => {
    const { store } = await open();
    const first = await insertHidden(store, { idempotencyKey: 'key' });
    const second = hiddenTask({ idempotencyKey: 'key', prompt: 'another wish' });
    expect(await store.insert(second)).toEqual(first);
    expect(await store.get(second.id)).toBeNull();
  });

  it('an insert with a used key returns the current state of the twin', async () => {
    const { store } = await open();
    const first = await insertHidden(store, { idempotencyKey: 'key' });
    const written = await store.save({ ...first, state: 'WAITING', providerTaskId: 'kie-1' });
    expect(await insertHidden(store, { idempotencyKey: 'key' })).toEqual(written);
  });

  it('exactly one of many concurrent inserts gets a key', async () => {
    const { store } = await open();
    const wishes = Array.from({ length: 20 }, () => hiddenTask({ idempotencyKey: 'key' }));
    const holders = await Promise.all(wishes.map((wish) => store.insert(wish)));
    expect(new Set(holders.map(({ id }) => id)).size).toBe(1);
    expect(await countWaiting(store)).toBe(1);
  });

  it('each owner has idempotency keys of their own', async () => {
    const { store } = await open();
    const ann = await insertHidden(store, { owner: 'ann', idempotencyKey: 'key' });
    const bob = hiddenTask({ owner: 'bob', idempotencyKey: 'key' });
    expect(await store.insert(bob)).toEqual(bob);
    expect(await store.getByKey('ann', 'key')).toEqual(ann);
    expect(await store.getByKey('bob', 'key')).toEqual(bob);
    expect(await store.getByKey('eve', 'key')).toBeNull();
  });

  it('tasks without a key are never twins', async () => {
    const { store } = await open();
    const tasks = await Promise.all([1, 2, 3].map(() => insertHidden(store)));
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(3);
    expect(await countWaiting(store)).toBe(3);
  });

  it('idempotency keys are compared exactly', async () => {
    const { store } = await open();
    await insertHidden(store, { idempotencyKey: 'key' });
    for (const other of ['KEY', 'key ', 'kéy']) {
      const task = hiddenTask({ idempotencyKey: other });
      expect(await store.insert(task)).toEqual(task);
    }
  });

  it('a key is free again after its task has dropped it', async () => {
    const { store } = await open();
    const first = await insertHidden(store, { idempotencyKey: 'key' });
    await amended(store, { ...first, refusal: FAILURE, idempotencyKey: null });
    expect(await store.getByKey('ann', 'key')).toBeNull();
    const second = hiddenTask({ idempotencyKey: 'key' });
    expect(await store.insert(second)).toEqual(second);
  });
});
