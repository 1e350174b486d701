import { describe, expect, it } from 'vitest';
import { DEFAULT_MODEL, withDefaults } from '../../src/models/index.ts';
import { readOverview } from '../../src/store/stats.ts';
import { variantOf } from '../../src/tasks/recent-tasks.ts';
import { FAILURE, NOW, PROVIDER, claimSubmissions, insertHidden, insertVisible, upload } from './records.ts';
import { STORES } from './stores.ts';

describe.each(STORES)('$name', ({ open }) => {
  it('a task id takes precedence over an equal provider id, and an unverified one finds nothing', async () => {
    const { store } = await open();
    const task = await insertVisible(store, { unverifiedProviderTaskId: 'kie-1' });
    await insertVisible(store, { providerTaskId: task.id });
    expect(await store.find('ann', task.id)).toEqual(task);
    expect(await store.find('ann', 'kie-1')).toBeNull();
  });

  it.each(['Bob', '', '%', 'bob '])('owners are compared exactly: %j is not bob', async (owner) => {
    const { store } = await open();
    const { id } = await insertVisible(store, { owner: 'bob', providerTaskId: 'kie-1' });
    expect(await store.find(owner, id)).toBeNull();
    expect(await store.find(owner, 'kie-1')).toBeNull();
    expect(await store.page(owner, { limit: 9, below: null, states: [] })).toEqual([]);
    expect(await store.changesAfter(owner, 0, 9)).toEqual([]);
  });

  it('a page accepts any number of repeated states, and continues where no task is', async () => {
    const { store } = await open();
    const task = await insertVisible(store, { state: 'WAITING' });
    await insertVisible(store, { state: 'FAIL', createdAt: NOW + 9 });
    const states = Array.from({ length: 37_000 }, () => 'WAITING' as const);
    expect(await store.page('ann', { limit: 10, below: null, states })).toEqual([task]);
    const below = { createdAt: NOW + 5, id: 'gone' };
    expect(await store.page('ann', { limit: 10, below, states: [] })).toEqual([task]);
  });

  it('the newest successes of a model and variant: durations start when the provider accepts a task, or at its creation', async () => {
    const { store } = await open();
    const finish = async (minute: number, timeline: readonly string[]): Promise<void> => {
      const at = NOW + minute * 60_000;
      const steps = timeline.map((state, index) => ({
        state: state as 'SUBMITTING',
        at: at - 10_000 * (timeline.length - index),
        source: 'QUERY' as const,
      }));
      await insertVisible(store, { state: 'SUCCESS', completedAt: at, timeline: steps });
    };
    await finish(2, ['SUBMITTING', 'WAITING', 'GENERATING']);
    await finish(3, ['SUBMITTING', 'GENERATING']);
    await finish(1, ['SUBMITTING', 'WAITING', 'QUEUING', 'GENERATING']);
    await insertVisible(store, { state: 'FAIL', completedAt: NOW + 300_000 });
    const done = { state: 'SUCCESS', completedAt: NOW + 5000, timeline: [] } as const;
    const endImageUrl = 'https://files.example/last.png';
    await insertVisible(store, { ...done, endImageUrl, creditsConsumed: 12.5 });
    const options = withDefaults(DEFAULT_MODEL);
    await insertVisible(store, { ...done, model: 'kling-2.6/image-to-video' });
    await insertVisible(store, { ...done, options: { ...options, durationSeconds: 10 } });
    const { name } = DEFAULT_MODEL;
    const all = await store.newestSuccesses(name, variantOf(options), 100);
    expect(all.map(({ duration }) => duration)).toEqual([10_000, 20_000, 30_000, 5000]);
    expect(all[0]).toEqual({ duration: 10_000, credits: null, hasEndImage: false });
    expect(all[3]).toEqual({ duration: 5000, credits: 12.5, hasEndImage: true });
    expect(await store.newestSuccesses(name, variantOf(options), 2)).toEqual(all.slice(0, 2));
  });

  it('the newest outcomes of a model: failure codes and null, newest first, without unfinished tasks', async () => {
    const { store } = await open();
    await insertVisible(store, { state: 'SUCCESS', completedAt: NOW + 1 });
    await insertVisible(store, { state: 'FAIL', failure: FAILURE, completedAt: NOW + 2 });
    await insertVisible(store, { state: 'WAITING' });
    await insertVisible(store, { state: 'SUCCESS', completedAt: NOW + 3, model: 'kling-2.6/image-to-video' });
    expect(await store.newestOutcomes(DEFAULT_MODEL.name, 0, 9)).toEqual([FAILURE.code, null]);
    expect(await store.newestOutcomes(DEFAULT_MODEL.name, 0, 1)).toEqual([FAILURE.code]);
  });

  it('the overview counts the unfinished work and its age', async () => {
    const { connections, store } = await open();
    const look = () =>
      readOverview(connections.reader, { provider: PROVIDER, create: NOW - 1000, query: NOW - 1000 });
    expect(await look()).toMatchObject({ oldestAt: null, waiting: 0, unknown: 0, checkDueAt: null });
    await insertHidden(store, { createdAt: NOW - 500, submitAt: NOW + 1 });
    await insertHidden(store, { refusal: FAILURE, markedAt: NOW });
    await insertHidden(store, { submitAt: NOW });
    await claimSubmissions(store, { limit: 1 });
    await insertVisible(store, { markedAt: NOW, unknownSince: NOW, nextCheckAt: NOW + 9000 });
    await insertVisible(store, { state: 'WAITING', createdAt: NOW - 900, nextCheckAt: NOW - 70 });
    await insertVisible(store, { state: 'SUCCESS', createdAt: NOW - 9000, completedAt: NOW });
    expect(await look()).toEqual({
      unfinished: { SUBMITTING: 3, WAITING: 1, QUEUING: 0, GENERATING: 0 },
      oldestAt: NOW - 900,
      waiting: 1,
      unknown: 1,
      checkDueAt: NOW - 70,
      slots: { create: 1, query: 0 },
    });
  });

  it('an upload is found by its owner and hash, and by its URL by everyone, until it expires', async () => {
    const opened = await open();
    const bens = upload({ url: 'https://files.example/bens.png' });
    await Promise.all([opened.store.saveUpload('ada', upload()), opened.store.saveUpload('ben', bens)]);
    // A later one of the same owner and hash replaces the earlier.
    const later = upload({ url: 'https://files.example/2.png', expiresAt: NOW + 5000, width: 401 });
    await opened.store.saveUpload('ada', later);
    const { store } = await opened.reopen();
    expect(await store.findUpload('ada', 'hash-1', NOW + 4999)).toEqual(later);
    expect(await store.findUpload('ada', 'hash-1', NOW + 5000)).toBeNull();
    expect(await store.findUpload('ada', 'hash-2', NOW)).toBeNull();
    expect(await store.findUpload('eve', 'hash-1', NOW)).toBeNull();
    expect(await store.findUpload('ben', 'hash-1', NOW)).toEqual(bens);
    expect(await store.uploadAt(later.url, NOW + 4999)).toEqual(later);
    expect(await store.uploadAt(later.url, NOW + 5000)).toBeNull();
    expect(await store.uploadAt(`${later.url}?`, NOW)).toBeNull();
    expect(await store.uploadAt(upload().url, NOW)).toBeNull();
  });
});
