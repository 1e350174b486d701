import { describe, expect, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import { NOW, amended, idsOf, insertHidden, insertVisible, saved } from './records.ts';
import { STORES } from './stores.ts';

describe.each(STORES)('$name', ({ open }) => {
  it('saving a hidden task makes it visible', async () => {
    const { store } = await open();
    const written = await saved(store, await insertHidden(store));
    expect(written.revision).toBeGreaterThan(0);
    expect(await store.find('ann', written.id)).toEqual(written);
    expect(await store.newestRevision()).toBe(written.revision);
  });

  it('saving writes the record and increments its version', async () => {
    const { store } = await open();
    const record = await insertHidden(store);
    const next = { ...record, state: 'WAITING', providerTaskId: 'kie-1', updatedAt: NOW + 5 } as const;
    const written = await saved(store, next);
    expect(written).toEqual({ ...next, revision: written.revision, version: record.version + 1 });
    expect(await store.get(record.id)).toEqual(written);
  });

  it('every save takes a larger revision than all before', async () => {
    const { store } = await open();
    const revisions: number[] = [];
    let [ann, bob] = [await insertHidden(store), await insertHidden(store, { owner: 'bob' })];
    for (let round = 0; round < 3; round += 1) {
      [ann, bob] = [await saved(store, ann), await saved(store, bob)];
      revisions.push(ann.revision ?? 0, bob.revision ?? 0);
    }
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
  });

  it('revisions continue to grow after a restart', async () => {
    const opened = await open();
    const before = await insertVisible(opened.store);
    const { store } = await opened.reopen();
    expect(await store.newestRevision()).toBe(before.revision);
    expect((await saved(store, before)).revision).toBeGreaterThan(before.revision);
  });

  it('a save after a concurrent save writes nothing', async () => {
    const { store, told } = await open();
    const read = await insertHidden(store);
    const written = await saved(store, { ...read, state: 'WAITING' });
    expect(await store.save({ ...read, state: 'GENERATING' })).toBeNull();
    expect(await store.get(read.id)).toEqual(written);
    expect(told.flat()).toEqual([written]);
  });

  it('a save after a concurrent amend writes nothing', async () => {
    const { store } = await open();
    const read = await insertHidden(store);
    const amendment = await amended(store, { ...read, nextCheckAt: NOW });
    expect(await store.save({ ...read, state: 'WAITING' })).toBeNull();
    expect(await store.get(read.id)).toEqual(amendment);
  });

  it('exactly one of many concurrent saves succeeds', async () => {
    const { store, told } = await open();
    const read = await insertHidden(store);
    const writers = Array.from({ length: 20 }, (_, n) => store.save({ ...read, updatedAt: NOW + n }));
    const winners = (await Promise.all(writers)).filter((written) => written !== null);
    expect(winners).toHaveLength(1);
    expect(await store.get(read.id)).toEqual(winners[0]);
    expect(told.flat()).toEqual(winners);
  });

  it('a write of an unknown task returns null', async () => {
    const { store, told } = await open();
    const read = await insertHidden(store);
    expect(await store.save({ ...read, id: 'no-such-task' })).toBeNull();
    expect(await store.get('no-such-task')).toBeNull();
    expect(told).toEqual([]);
  });

  it('saving never changes the input or the owner of a task', async () => {
    const { store } = await open();
    const read = await insertHidden(store);
    await saved(store, { ...read, owner: 'eve', prompt: 'other', imageUrl: 'other', createdAt: 1 });
    expect(await store.get(read.id)).toMatchObject({
      owner: 'ann',
      prompt: read.prompt,
      imageUrl: read.imageUrl,
      createdAt: read.createdAt,
    });
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('a change is published before its write resolves', async () => {
    const events: string[] = [];
    const { store } = await open(() => events.push('told'));
    const record = await insertHidden(store);
    await saved(store, record).then(() => events.push('fulfilled'));
    expect(events).toEqual(['told', 'fulfilled']);
  });

  it('a change is published after its commit', async () => {
    const found: Promise<unknown>[] = [];
    let store: TaskStore | null = null;
    const opened = await open((changes) => {
      for (const { id } of changes) found.push(store?.get(id) ?? Promise.reject(new Error('told too early')));
    });
    store = opened.store;
    const written = await insertVisible(opened.store);
    expect(await Promise.all(found)).toEqual([written]);
  });

  it('changes are published once, in order of revision', async () => {
    const { store, told } = await open();
    const tasks = await Promise.all(Array.from({ length: 30 }, () => insertHidden(store)));
    const first = await Promise.all(tasks.toReversed().map((task) => saved(store, task)));
    await Promise.all(first.map((task) => saved(store, task)));
    const revisions = told.flat().map(({ revision }) => revision);
    expect(revisions).toHaveLength(60);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('amending takes no revision and publishes nothing', async () => {
    const { store, told } = await open();
    const visible = await insertVisible(store);
    const next = { ...visible, nextCheckAt: NOW + 5000, unverifiedProviderTaskId: 'kie-1' };
    expect(await store.amend(next)).toEqual({ ...next, version: visible.version + 1 });
    expect(await store.find('ann', visible.id)).toEqual({ ...next, version: visible.version + 1 });
    expect(await store.newestRevision()).toBe(visible.revision);
    expect(told.flat()).toEqual([visible]);
  });

  it('amending leaves a hidden task hidden', async () => {
    const { store } = await open();
    const { id } = await amended(store, await insertHidden(store));
    expect(await store.find('ann', id)).toBeNull();
  });

  it('an amend after a concurrent save writes nothing', async () => {
    const { store } = await open();
    const read = await insertVisible(store);
    const written = await saved(store, { ...read, state: 'WAITING' });
    expect(await store.amend({ ...read, nextCheckAt: NOW })).toBeNull();
    expect(await store.get(read.id)).toEqual(written);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('acknowledged writes survive a restart', async () => {
    const opened = await open();
    const visible = await insertVisible(opened.store);
    const hidden = await amended(opened.store, await insertHidden(opened.store, { idempotencyKey: 'key' }));
    const { store } = await opened.reopen();
    expect(await store.get(visible.id)).toEqual(visible);
    expect(await store.get(hidden.id)).toEqual(hidden);
    expect(idsOf(await store.changesAfter('ann', 0, 10))).toEqual([visible.id]);
    expect(await store.getByKey('ann', 'key')).toEqual(hidden);
  });
});
