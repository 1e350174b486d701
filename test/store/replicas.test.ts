import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import { emptyDatabase, temporaryDatabase } from '../kit/store.ts';
import { countWaiting } from '../kit/count-waiting.ts';
import { NOW, hiddenTask, idsOf, insertHidden, insertVisible, saved } from './records.ts';
import { openReplica, type Replica } from './replicas.ts';

const MINUTE = { limit: 7, windowMs: 60_000 };

/** Stores on one database, each told of changes from now on. */
async function openAll(count: number): Promise<readonly Replica[]> {
  const url = await temporaryDatabase();
  const replicas = await Promise.all(Array.from({ length: count }, () => openReplica(url)));
  await Promise.all(replicas.map(({ store }) => store.follow()));
  return replicas;
}

/** Does the same on each store so often, all at once. */
function everywhere<T>(
  replicas: readonly Replica[],
  times: number,
  run: (store: TaskStore, index: number) => Promise<T>,
): Promise<readonly T[]> {
  const calls = Array.from({ length: times }, (_, index) => replicas.map(({ store }) => run(store, index)));
  return Promise.all(calls.flat());
}

describe('several stores on one database', () => {
  it('replicas publish every change of all of them once, in order of revision', async () => {
    const replicas = await openAll(3);
    const written = await everywhere(replicas, 60, (store) => insertVisible(store));
    const revisions = written.map(({ revision }) => revision).sort((one, other) => one - other);
    await Promise.all(replicas.map(({ tells }) => tells(revisions.at(-1) ?? 0)));
    for (const { told } of replicas) expect(told.map(({ revision }) => revision)).toEqual(revisions);
  });

  it('replicas publish the newest state of a task that several of them change', async () => {
    const replicas = await openAll(2);
    const [first] = replicas;
    const task = await insertVisible(first?.store ?? never());
    await everywhere(replicas, 20, async (store, index) => {
      const current = await store.get(task.id);
      if (current) await store.save({ ...current, updatedAt: NOW + index });
    });
    const last = await first?.store.find('ann', task.id);
    for (const { tells, told } of replicas) {
      await tells(last?.revision ?? 0);
      const revisions = told.map(({ revision }) => revision);
      expect(revisions).toEqual([...new Set(revisions)].sort((one, other) => one - other));
      expect(told.at(-1)).toEqual(last);
    }
  });

  it('one of several replicas that change the same version succeeds', async () => {
    const replicas = await openAll(3);
    const task = await insertHidden(replicas[0]?.store ?? never());
    const written = await everywhere(replicas, 1, (store) => store.save(task));
    expect(written.filter((one) => one !== null)).toHaveLength(1);
  });

  it('replicas that write the same tasks in different orders all succeed', async () => {
    const replicas = await openAll(2);
    const [one = never(), other = never()] = replicas.map(({ store }) => store);
    const tasks = await Promise.all(Array.from({ length: 40 }, () => insertHidden(one)));
    const [forward, backward] = await Promise.all([
      Promise.all(tasks.map((task) => one.amend(task))),
      Promise.all(tasks.toReversed().map((task) => other.amend(task))),
    ]);
    expect([...forward, ...backward].filter((written) => written !== null)).toHaveLength(40);
  });

  it('replicas together keep the create limit and claim no task twice', async () => {
    const replicas = await openAll(3);
    await Promise.all(Array.from({ length: 40 }, () => insertVisible(replicas[0]?.store ?? never())));
    const claims = await everywhere(replicas, 6, (store, index) =>
      store.claimSubmissions({
        now: () => NOW + index,
        limit: 25,
        processId: 'any',
        attempt: crypto.randomUUID(),
        windowMs: 10_000,
        checkAfterMs: 90_000,
      }),
    );
    const ids = claims.flatMap(({ records }) => idsOf(records));
    expect([ids.length, new Set(ids).size]).toEqual([25, 25]);
  });

  it('replicas together keep the query limit and claim no poll twice', async () => {
    const replicas = await openAll(3);
    await Promise.all(
      Array.from({ length: 40 }, () =>
        insertVisible(replicas[0]?.store ?? never(), { state: 'WAITING', nextCheckAt: NOW }),
      ),
    );
    const claims = await everywhere(replicas, 6, (store, index) =>
      store.claimDue({ now: () => NOW + index, leaseMs: 30_000, limitPerSecond: 25 }),
    );
    const ids = claims.flatMap(({ records }) => idsOf(records));
    expect([ids.length, new Set(ids).size]).toEqual([25, 25]);
  });

  it('replicas together keep the cap of an owner', async () => {
    const replicas = await openAll(3);
    const answers = await everywhere(replicas, 10, (store) => store.insert(hiddenTask(), [MINUTE]));
    expect(answers.filter((answer) => 'id' in answer)).toHaveLength(7);
    const counts = await everywhere(replicas, 1, countWaiting);
    expect(counts[0]).toBe(7);
  });

  it('replicas store one task for one key of an owner', async () => {
    const replicas = await openAll(3);
    const stored = await everywhere(replicas, 10, (store, index) =>
      store.insert(hiddenTask({ idempotencyKey: `key ${index % 2}` })),
    );
    expect(new Set(idsOf(stored)).size).toBe(2);
  });

  it('replicas share a secret even if they create it at once', async () => {
    const replicas = await openAll(3);
    const secrets = await everywhere(replicas, 3, (store) => store.secret('callback'));
    expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(1);
    expect(secrets[0]).toHaveLength(32);
  });
});

describe('a store to which nobody listens', () => {
  it('a replica without listeners reads no changes until one attaches', async () => {
    const [writer = never(), idle = never()] = await openAll(2);
    await idle.wakes.take();
    idle.listeners = 0;
    const before = idle.reads();
    for (let time = 0; time < 3; time += 1) {
      await insertVisible(writer.store);
      await idle.wakes.take();
    }
    await setImmediate();
    expect(idle.reads()).toBe(before);
    expect(idle.told).toEqual([]);

    idle.listeners = 1;
    await idle.store.follow();
    const task = await insertHidden(writer.store);
    const { revision } = await saved(writer.store, task);
    await idle.tells(revision);
    expect(idsOf(idle.told)).toEqual([task.id]);
  });
});

it('several replicas can open an empty database at once', async () => {
  const url = await emptyDatabase();
  const replicas = await Promise.all(Array.from({ length: 5 }, () => openReplica(url)));
  const written = await everywhere(replicas, 1, (store) => insertVisible(store));
  expect(written.map(({ revision }) => revision).sort()).toEqual([1, 2, 3, 4, 5]);
});

function never(): never {
  throw new Error('there is no such store');
}
