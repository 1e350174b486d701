import { describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { countWaiting } from '../kit/count-waiting.ts';
import { hiddenTask, insertHidden, insertVisible, saved } from './records.ts';
import { STORES } from './stores.ts';

/** A record that no store takes: a time that is not a number. */
const BROKEN = { updatedAt: NaN };

describe.each(STORES)('$name', ({ open }) => {
  it('concurrent writes of one kind share a commit', async () => {
    const { commits, store } = await open();
    const before = await commits();
    const tasks = await Promise.all(Array.from({ length: 100 }, () => insertHidden(store)));
    expect((await commits()) - before).toBe(1);
    await Promise.all(tasks.map((task) => saved(store, task)));
    expect((await commits()) - before).toBe(2);
  });

  it('concurrent writes of different kinds share a commit', async () => {
    const { commits, store } = await open();
    const [task, other] = [await insertVisible(store), await insertHidden(store)];
    const before = await commits();
    await Promise.all([
      store.save({ ...task, state: 'WAITING' }),
      store.amend({ ...other, notNowCount: 1 }),
      insertHidden(store),
      store.secret('any'),
      store.sweepOrphans(0),
    ]);
    expect((await commits()) - before).toBe(1);
  });

  it('concurrent writes happen in order of arrival', async () => {
    const { store } = await open();
    const task = hiddenTask();
    const [inserted, announced, late] = await Promise.all([
      store.insert(task),
      store.save({ ...task, state: 'WAITING' }),
      store.save({ ...task, state: 'QUEUING' }),
    ]);
    expect(inserted).toEqual(task);
    expect(late).toBeNull();
    expect(await store.get(task.id)).toEqual(announced);
  });

  it('at most 500 writes share a commit', async () => {
    const { commits, store } = await open();
    const before = await commits();
    await Promise.all(Array.from({ length: 501 }, () => insertHidden(store)));
    expect((await commits()) - before).toBe(2);
    expect(await countWaiting(store)).toBe(501);
  });

  it('writes that follow a commit share the next commit', async () => {
    const { commits, store } = await open();
    const tasks = await Promise.all(Array.from({ length: 50 }, () => insertHidden(store)));
    const before = await commits();
    // Each asks again from within the answer to its last write.
    await Promise.all(tasks.map((task) => saved(store, task).then((written) => saved(store, written))));
    expect((await commits()) - before).toBe(2);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('a write that fails changes and publishes nothing', async () => {
    const { store, told } = await open();
    const task = await insertVisible(store);
    await expect(store.save({ ...task, ...BROKEN })).rejects.toThrow(StoreUnavailableError);
    expect(await store.get(task.id)).toEqual(task);
    expect(told.flat()).toEqual([task]);
  });

  it('a write that fails does not affect the others in its batch', async () => {
    const { store, told } = await open();
    const tasks = await Promise.all(Array.from({ length: 10 }, () => insertHidden(store)));
    const results = await Promise.allSettled(
      tasks.map((task, n) => (n === 4 ? store.save({ ...task, ...BROKEN }) : store.save(task))),
    );
    const statuses = results.map(({ status }) => status);
    expect(statuses.filter((status) => status === 'rejected')).toHaveLength(1);
    expect(statuses[4]).toBe('rejected');
    const written = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(written.every((record) => record !== null)).toBe(true);
    expect(told.flat()).toEqual(written);
    expect(await store.changesAfter('ann', 0, 100)).toEqual(written);
  });

  it('the store accepts writes after one has failed', async () => {
    const { store } = await open();
    await expect(insertHidden(store, BROKEN)).rejects.toThrow(StoreUnavailableError);
    const task = await insertVisible(store);
    expect(await store.get(task.id)).toEqual(task);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('closing the store completes pending writes', async () => {
    const opened = await open();
    const { store } = opened;
    const task = hiddenTask();
    const writes = Promise.all([store.insert(task), store.save(task), insertHidden(store)]);
    const again = await opened.reopen();
    const [, announced] = await writes;
    expect(announced).not.toBeNull();
    expect(await again.store.get(task.id)).toEqual(announced);
    expect(await countWaiting(again.store)).toBe(2);
  });

  it('every call after closing rejects with StoreUnavailableError', async () => {
    const { store } = await open();
    const task = await insertHidden(store);
    await store.close();
    await expect(store.save(task)).rejects.toThrow(StoreUnavailableError);
    await expect(store.get(task.id)).rejects.toThrow(StoreUnavailableError);
    await expect(store.find('ann', task.id)).rejects.toThrow(StoreUnavailableError);
    await expect(store.newestRevision()).rejects.toThrow(StoreUnavailableError);
    await expect(store.ping()).rejects.toThrow(StoreUnavailableError);
  });

  it('closing the store twice is safe', async () => {
    const { store } = await open();
    await store.close();
    await expect(store.close()).resolves.toBeUndefined();
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('a secret has 32 bytes, stays the same across restarts, and differs by name', async () => {
    const opened = await open();
    const [secret, twin, other] = await Promise.all(
      ['callback', 'callback', 'other'].map((name) => opened.store.secret(name)),
    );
    expect(secret).toHaveLength(32);
    expect(twin).toEqual(secret);
    expect(other).not.toEqual(secret);
    const { store } = await opened.reopen();
    expect(await store.secret('callback')).toEqual(secret);
  });

  it('two stores have different secrets', async () => {
    const [one, two] = [await open(), await open()];
    expect(await one.store.secret('callback')).not.toEqual(await two.store.secret('callback'));
  });
});
