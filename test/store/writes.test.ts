import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROVIDER_ERROR_CODES } from '../../src/tasks/failure.ts';
import { StoreUnavailableError, type CreateCap, type TaskStore } from '../../src/tasks/store.ts';
import { TASK_STATES, type TaskRecord } from '../../src/tasks/task.ts';
import { validateInput } from '../../src/tasks/validate-input.ts';
import { quickDir } from '../kit/gateway.ts';
import { inSqlite, openSqliteStore } from '../kit/store.ts';
import { onTestEnd } from '../kit/waits.ts';
import { anyText, anyUrl } from '../tasks/any-text.ts';
import { FAILURE, NOW, amended, hiddenTask, insertHidden, insertVisible, saved } from './records.ts';
import { STORES } from './stores.ts';

const time = fc.integer({ min: 0, max: 8_640_000_000_000_000 });
/** What the provider may say; it goes through the store as JSON, where every text survives. */
const failure = fc.record({
  code: fc.constantFrom(...PROVIDER_ERROR_CODES),
  providerCode: fc.option(anyText),
  message: anyText,
});
const input = fc.record({
  prompt: anyText,
  imageUrl: fc.oneof(anyUrl, fc.constant('https://files.example/first.png')),
  endImageUrl: fc.option(anyUrl),
  promptOptimizer: fc.option(fc.boolean()),
  idempotencyKey: fc.option(anyText),
});
const fields = fc.record({
  state: fc.constantFrom(...TASK_STATES),
  videos: fc.array(fc.record({ url: anyText, expiresAt: fc.option(time) }), { maxLength: 3 }),
  failure: fc.option(failure),
  refusal: fc.option(failure),
  // No store knows -0, and before Node.js 24.15 SQLite takes what is next to nothing for 0:
  // https://github.com/photostructure/node-sqlite/blob/v1.2.1/src/sqlite_impl.cpp#L2657
  creditsConsumed: fc.option(
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((credits) => (Math.abs(credits) < 1e-15 ? 0 : credits)),
  ),
  updatedAt: time,
  completedAt: fc.option(time),
  expectedAt: fc.option(time),
  timeline: fc.array(
    fc.record({
      state: fc.constantFrom(...TASK_STATES),
      at: time,
      source: fc.constantFrom('GATEWAY' as const, 'CREATE_ANSWER' as const, 'CALLBACK' as const),
    }),
    { maxLength: 12 },
  ),
  submitLeaseBy: fc.option(fc.constantFrom('process-2', '')),
  submitLeaseUntil: fc.option(time),
  submitAt: time,
  notNowCount: fc.integer({ min: 0, max: 1_000_000 }),
  notNowSince: fc.option(time),
  markedAt: fc.option(time),
  unknownSince: fc.option(time),
  unverifiedProviderTaskId: fc.option(fc.constant('kie-2')),
  nextCheckAt: fc.option(time),
});

describe.each(STORES)('$name', ({ open }) => {
  it('every valid input and every written field is stored exactly', async () => {
    const opened = await open();
    const { store } = opened;
    const stored: TaskRecord[] = [];
    await fc.assert(
      fc.asyncProperty(input, fields, async (given, written) => {
        const result = validateInput(given);
        if (!('valid' in result)) return;
        const { idempotencyKey, input: asked } = result.valid;
        const task = hiddenTask({ ...asked, idempotencyKey, owner: `owner-${stored.length}` });
        expect(await store.insert(task)).toEqual(task);
        // Unlike `get`, which may be cached, a repeated insert returns the stored row.
        expect(await store.insert(task)).toEqual(task);
        if (idempotencyKey !== null) expect(await store.getByKey(task.owner, idempotencyKey)).toEqual(task);
        const lastWords = written.failure && { ...written.failure, status: 'fail' };
        const last = await saved(store, {
          ...task,
          ...written,
          lastWords: lastWords as TaskRecord['lastWords'],
        });
        expect(await store.changesAfter(task.owner, 0, 1)).toEqual([last]);
        stored.push(last);
      }),
      { numRuns: 200 },
    );
    expect(stored.length).toBeGreaterThan(10);
    const next = await opened.reopen();
    for (const record of stored) expect(await next.store.get(record.id)).toEqual(record);
  });

  it('a change is published after its commit, and before its write resolves', async () => {
    const found: Promise<unknown>[] = [];
    const events: string[] = [];
    let store: TaskStore | null = null;
    const opened = await open(([change]) => {
      events.push('told');
      found.push(store?.get(change?.id ?? '') ?? Promise.reject(new Error('told too early')));
    });
    store = opened.store;
    const task = await insertHidden(store);
    const written = await saved(store, task).then((record) => {
      events.push('resolved');
      return record;
    });
    expect(events).toEqual(['told', 'resolved']);
    expect(await Promise.all(found)).toEqual([written]);
  });
});

const MINUTE = { limit: 2, windowMs: 60_000 };
const DAY = { limit: 3, windowMs: 86_400_000 };

/** What an owner has created, when another task comes, its caps, and which of them refuses it until when. */
const CAPS: readonly (readonly [
  string,
  readonly number[],
  number,
  readonly CreateCap[],
  (readonly [CreateCap, number])?,
])[] = [
  ['a cap admits as many tasks as it allows', [0], 1, [MINUTE]],
  ['a cap refuses one more', [5, 10], 20, [MINUTE], [MINUTE, 60_005]],
  ['a task counts for a window', [0, 10], 59_999, [MINUTE], [MINUTE, 60_000]],
  ['a task counts no longer', [0, 10], 60_000, [MINUTE]],
  ['a lowered cap refuses', [0, 10, 20, 30], 50, [MINUTE], [MINUTE, 60_020]],
  ['a lowered cap admits then', [0, 10, 20, 30], 60_020, [MINUTE]],
  ['the cap that lasts longest', [0, 1, 2], 9, [MINUTE, DAY], [DAY, 86_400_000]],
  ['the same in any order', [0, 1, 2], 9, [DAY, MINUTE], [DAY, 86_400_000]],
  ['only the reached cap', [0, 1], 9, [DAY, MINUTE], [MINUTE, 60_000]],
  ['a task from the far future does not count', [3_600_000, 0], 1, [MINUTE]],
];

describe.each(STORES)('caps: $name', ({ open }) => {
  it('a cap refuses an insert until there is room, and stores nothing', async () => {
    const { store } = await open();
    for (const [owner, created, at, caps, refusal] of CAPS) {
      for (const time of created) await insertHidden(store, { owner, createdAt: NOW + time });
      const task = hiddenTask({ owner, createdAt: NOW + at });
      const refused = refusal && { cap: refusal[0], freeAt: NOW + refusal[1] };
      expect(await store.insert(task, caps), owner).toEqual(refused ?? task);
      expect(await store.get(task.id), owner).toEqual(refused ? null : task);
    }
  });

  it('a cap counts visible, hidden and refused tasks, those of earlier processes too', async () => {
    const opened = await open();
    await insertVisible(opened.store);
    const hidden = await insertHidden(opened.store);
    await amended(opened.store, { ...hidden, refusal: FAILURE });
    const { store } = await opened.reopen();
    expect(await store.insert(hiddenTask(), [MINUTE])).toMatchObject({ cap: MINUTE });
  });

  it('an insert with a used key returns the current state of the twin, even beyond a cap', async () => {
    const { store } = await open();
    const first = await saved(store, await insertHidden(store, { idempotencyKey: 'key' }));
    await insertHidden(store);
    const wish = (fields: Partial<TaskRecord>) => store.insert(hiddenTask(fields), [MINUTE]);
    expect(await wish({ idempotencyKey: 'key', prompt: 'another wish' })).toEqual(first);
    expect(await wish({ idempotencyKey: 'another key' })).toMatchObject({ cap: MINUTE });
    expect(await wish({ idempotencyKey: 'key', owner: 'bob' })).toMatchObject({ owner: 'bob' });
  });
});

/** A record that no store takes: a time that is not a number. */
const BROKEN = { updatedAt: NaN };

describe.each(STORES)('batches: $name', ({ open }) => {
  it('concurrent writes of all kinds share commits of at most 500, in order of arrival', async () => {
    const { commits, store } = await open();
    const [task, other] = [await insertVisible(store), await insertHidden(store)];
    const before = commits();
    const fresh = hiddenTask();
    const [, , inserted, announced, late] = await Promise.all([
      store.save({ ...task, state: 'WAITING' }),
      store.amend({ ...other, notNowCount: 1 }),
      store.insert(fresh),
      store.save({ ...fresh, state: 'WAITING' }),
      store.save({ ...fresh, state: 'QUEUING' }),
      store.secret('any'),
      store.sweepOrphans(0),
      ...Array.from({ length: 493 }, () => insertHidden(store)),
    ]);
    expect(commits() - before).toBe(1);
    expect([inserted, late]).toEqual([fresh, null]);
    expect(await store.get(fresh.id)).toEqual(announced);
    await Promise.all(Array.from({ length: 501 }, () => insertHidden(store)));
    expect(commits() - before).toBe(3);
    expect(await store.queue(NOW)).toHaveLength(995);
  });

  it('writes that follow a commit share the next commit', async () => {
    const { commits, store, told } = await open();
    const tasks = await Promise.all(Array.from({ length: 30 }, () => insertHidden(store)));
    const before = commits();
    // Each asks again from within the answer to its last write.
    await Promise.all(tasks.map((task) => saved(store, task).then((written) => saved(store, written))));
    expect(commits() - before).toBe(2);
    const revisions = told.flat().map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((one, other) => one - other));
    expect(revisions).toHaveLength(60);
  });

  it('a write that fails changes and publishes nothing, and does not affect its batch', async () => {
    const { store, told } = await open();
    const tasks = await Promise.all(Array.from({ length: 10 }, () => insertHidden(store)));
    const results = await Promise.allSettled(
      tasks.map((task, n) => store.save(n === 4 ? { ...task, ...BROKEN } : task)),
    );
    expect(results.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []))).toEqual([4]);
    const written = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(told.flat()).toEqual(written);
    expect(await store.changesAfter('ann', 0, 100)).toEqual(written);
    expect(await store.get(tasks[4]?.id ?? '')).toEqual(tasks[4]);
    await expect(insertHidden(store, BROKEN)).rejects.toThrow(StoreUnavailableError);
    expect(await insertVisible(store)).toMatchObject({ version: 1 });
  });

  it('closing completes pending writes; later calls reject with StoreUnavailableError', async () => {
    const opened = await open();
    const { store } = opened;
    const task = hiddenTask();
    const writes = Promise.all([store.insert(task), store.save(task)]);
    const again = await opened.reopen();
    const [, announced] = await writes;
    expect(await again.store.get(task.id)).toEqual(announced);
    for (const call of [
      () => store.save(task),
      () => store.get('another'),
      () => store.find('ann', 'another'),
      () => store.newestRevision(),
      () => store.ping(),
    ])
      await expect(call()).rejects.toThrow(StoreUnavailableError);
    await store.close();
  });

  it('a secret has 32 bytes, stays the same across restarts, and differs by name and store', async () => {
    const [opened, other] = [await open(), await open()];
    const names = ['callback', 'callback', 'other'];
    const [secret, twin, another] = await Promise.all(names.map((name) => opened.store.secret(name)));
    expect(secret).toHaveLength(32);
    expect(twin).toEqual(secret);
    expect(another).not.toEqual(secret);
    expect(await other.store.secret('callback')).not.toEqual(secret);
    const { store } = await opened.reopen();
    expect(await store.secret('callback')).toEqual(secret);
  });

  it('concurrent pings share one commit, and so do pings soon after one', async () => {
    const { commits, store } = await open();
    const before = commits();
    await Promise.all(Array.from({ length: 50 }, () => store.ping()));
    await store.ping();
    expect(commits() - before).toBe(1);
  });
});

it('SQLite remembers records until a write leaves open what it changed', async () => {
  const dataDir = await quickDir();
  const store = await openSqliteStore(dataDir);
  onTestEnd(() => store.close());
  const task = await insertVisible(store);
  inSqlite(dataDir, (database) => {
    database.exec("update tasks set prompt = 'written behind its back'");
  });
  expect(await store.get(task.id)).toEqual(task);
  expect(await store.find('ann', task.id)).toEqual(task);
  await store.sweepOrphans(0);
  expect(await store.get(task.id)).toMatchObject({ prompt: 'written behind its back' });
});
