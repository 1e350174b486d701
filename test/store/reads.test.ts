import { describe, expect, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import { NOW, idsOf, insertHidden, insertVisible, saved } from './records.ts';
import { STORES } from './stores.ts';

describe.each(STORES)('$name', ({ open }) => {
  it('a task is found by its id and by its provider id', async () => {
    const { store } = await open();
    const task = await insertVisible(store, { providerTaskId: 'kie-1' });
    expect(await store.find('ann', task.id)).toEqual(task);
    expect(await store.find('ann', 'kie-1')).toEqual(task);
  });

  it('a task is found by its provider id once that is known', async () => {
    const { store } = await open();
    const task = await insertVisible(store);
    expect(await store.find('ann', 'kie-1')).toBeNull();
    const adopted = await saved(store, { ...task, state: 'WAITING', providerTaskId: 'kie-1' });
    expect(await store.find('ann', 'kie-1')).toEqual(adopted);
  });

  it('an unverified provider id finds no task', async () => {
    const { store } = await open();
    await insertVisible(store, { unverifiedProviderTaskId: 'kie-1' });
    expect(await store.find('ann', 'kie-1')).toBeNull();
  });

  it('a task id takes precedence over an equal provider id', async () => {
    const { store } = await open();
    const task = await insertVisible(store);
    await insertVisible(store, { providerTaskId: task.id });
    expect(await store.find('ann', task.id)).toEqual(task);
  });

  it('only its owner finds a task, by either id', async () => {
    const { store } = await open();
    const { id } = await insertVisible(store, { owner: 'bob', providerTaskId: 'kie-1' });
    for (const owner of ['ann', 'Bob', '', '%']) {
      expect(await store.find(owner, id)).toBeNull();
      expect(await store.find(owner, 'kie-1')).toBeNull();
    }
    expect((await store.find('bob', 'kie-1'))?.id).toBe(id);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  const all = { limit: 100, below: null, states: [] };

  /** Tasks that were created one second after the other, the last one being the newest. */
  async function insertSeries(store: TaskStore, count: number): Promise<string[]> {
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1)
      ids.push((await insertVisible(store, { createdAt: NOW + n * 1000 })).id);
    return ids;
  }

  it('a page lists the newest tasks first in their current state', async () => {
    const { store } = await open();
    const [oldest = '', middle = '', newest = ''] = await insertSeries(store, 3);
    const read = await store.find('ann', oldest);
    if (read) await saved(store, { ...read, state: 'WAITING' });
    const page = await store.page('ann', all);
    expect(idsOf(page)).toEqual([newest, middle, oldest]);
    expect(page[2]).toMatchObject({ state: 'WAITING' });
  });

  it('a page has at most the requested number of tasks', async () => {
    const { store } = await open();
    const ids = await insertSeries(store, 5);
    expect(idsOf(await store.page('ann', { ...all, limit: 2 }))).toEqual(ids.toReversed().slice(0, 2));
  });

  it('a page continues after the task at its position', async () => {
    const { store } = await open();
    const ids = (await insertSeries(store, 5)).toReversed();
    const [, second] = await store.page('ann', all);
    expect(idsOf(await store.page('ann', { ...all, below: second ?? null }))).toEqual(ids.slice(2));
  });

  it('a page continues at the position of a deleted task', async () => {
    const { store } = await open();
    const ids = await insertSeries(store, 3);
    const below = { createdAt: NOW + 1500, id: 'gone' };
    expect(idsOf(await store.page('ann', { ...all, below }))).toEqual(ids.slice(0, 2).toReversed());
  });

  it('pages show every task once, even if all were created in the same millisecond', async () => {
    const { store } = await open();
    const tasks = await Promise.all(Array.from({ length: 7 }, () => insertVisible(store)));
    const seen: string[] = [];
    let page = await store.page('ann', { ...all, limit: 2 });
    while (page.length > 0) {
      seen.push(...idsOf(page));
      page = await store.page('ann', { ...all, limit: 2, below: page.at(-1) ?? null });
    }
    expect(seen).toEqual(idsOf(tasks).sort().toReversed());
  });

  it('a page filters by any of the given states; no states mean no filter', async () => {
    const { store } = await open();
    const waiting = await insertVisible(store, { state: 'WAITING', createdAt: NOW });
    const failed = await insertVisible(store, { state: 'FAIL', createdAt: NOW + 1 });
    const queuing = await insertVisible(store, { state: 'QUEUING', createdAt: NOW + 2 });
    expect(idsOf(await store.page('ann', { ...all, states: ['FAIL'] }))).toEqual([failed.id]);
    expect(idsOf(await store.page('ann', { ...all, states: ['WAITING', 'QUEUING'] }))).toEqual([
      queuing.id,
      waiting.id,
    ]);
    expect(await store.page('ann', { ...all, states: ['SUCCESS'] })).toEqual([]);
    expect(await store.page('ann', all)).toHaveLength(3);
  });

  it('a page accepts any number of repeated states', async () => {
    const { store } = await open();
    const task = await insertVisible(store, { state: 'WAITING' });
    await insertVisible(store, { state: 'FAIL' });
    for (const length of [1, 2, 400, 37_000]) {
      const states = Array.from({ length }, () => 'WAITING' as const);
      expect(await store.page('ann', { limit: 10, below: null, states })).toEqual([task]);
    }
  });

  it('a page is filled with tasks that match the filter', async () => {
    const { store } = await open();
    const old = await insertVisible(store, { state: 'WAITING', createdAt: NOW });
    await insertSeries(store, 5);
    expect(idsOf(await store.page('ann', { ...all, limit: 1, states: ['WAITING'] }))).toEqual([old.id]);
  });

  it('a page has only visible tasks of the owner', async () => {
    const { store } = await open();
    await insertVisible(store, { owner: 'bob' });
    await insertHidden(store);
    const mine = await insertVisible(store);
    expect(idsOf(await store.page('ann', all))).toEqual([mine.id]);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('changes come in order of revision, each task once in its newest state', async () => {
    const { store } = await open();
    const [first, second] = [await insertVisible(store), await insertVisible(store)];
    const moved = await saved(store, { ...first, state: 'WAITING' });
    expect(await store.changesAfter('ann', 0, 10)).toEqual([second, moved]);
  });

  it('changes start after the given revision', async () => {
    const { store } = await open();
    const [first, second] = [await insertVisible(store), await insertVisible(store)];
    expect(await store.changesAfter('ann', first.revision, 10)).toEqual([second]);
    expect(await store.changesAfter('ann', second.revision, 10)).toEqual([]);
  });

  it('changes come in pages, the earliest first', async () => {
    const { store } = await open();
    const tasks = [];
    for (let n = 0; n < 5; n += 1) tasks.push(await insertVisible(store));
    const page = await store.changesAfter('ann', 0, 3);
    expect(page).toEqual(tasks.slice(0, 3));
    expect(await store.changesAfter('ann', page.at(-1)?.revision ?? 0, 3)).toEqual(tasks.slice(3));
  });

  it('changes include only visible tasks of the owner', async () => {
    const { store } = await open();
    await insertVisible(store, { owner: 'bob' });
    await insertHidden(store);
    const mine = await insertVisible(store);
    expect(await store.changesAfter('ann', 0, 10)).toEqual([mine]);
  });

  it('an amend is not among the changes', async () => {
    const { store } = await open();
    const task = await insertVisible(store);
    await store.amend({ ...task, nextCheckAt: NOW });
    expect(await store.changesAfter('ann', task.revision, 10)).toEqual([]);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('the newest revision is 0 at first, then that of the latest change of any owner', async () => {
    const { store } = await open();
    expect(await store.newestRevision()).toBe(0);
    const { revision } = await insertVisible(store, { owner: 'bob' });
    expect(await store.newestRevision()).toBe(revision);
  });
});
