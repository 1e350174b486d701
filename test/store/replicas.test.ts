import fc from 'fast-check';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { cancelTask, type CancelResult } from '../../src/tasks/cancel.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';
import {
  NOW,
  claimDue,
  claimSubmissions,
  hiddenTask,
  idsOf,
  insertHidden,
  insertVisible,
} from './records.ts';
import { STORES, openReplica, type Replica } from './stores.ts';

/** Stores on one database, each told of changes from now on. */
async function openAll(count: number): Promise<readonly [Replica, ...Replica[]]> {
  const url = await temporaryDatabase();
  const [first, ...others] = await Promise.all(Array.from({ length: count }, () => openReplica(url)));
  if (!first) throw new Error('there is no store');
  await Promise.all([first, ...others].map(({ store }) => store.follow()));
  return [first, ...others];
}

/** Processes that work at the same time: the same store for SQLite, which has one process, and replicas for PostgreSQL. */
const CROWDS = STORES.map(({ name, open }) => ({
  name,
  async open(): Promise<readonly [TaskStore, TaskStore, TaskStore]> {
    if (name === 'SQLite') {
      const { store } = await open();
      return [store, store, store];
    }
    const [one, ...others] = await openAll(3);
    const [two = one, three = one] = others;
    return [one.store, two.store, three.store];
  },
}));

/** Does the same on each store so often, all at once. */
function everywhere<T>(
  stores: readonly TaskStore[],
  times: number,
  run: (store: TaskStore, index: number) => Promise<T>,
): Promise<readonly T[]> {
  return Promise.all(
    Array.from({ length: times }, (_, index) => stores.map((store) => run(store, index))).flat(),
  );
}

describe.each(CROWDS)('at the same time: $name', ({ open }) => {
  it.each([
    [
      'submissions',
      {},
      (store: TaskStore, n: number) => claimSubmissions(store, { now: NOW + n, limit: 25 }),
    ],
    [
      'polls',
      { state: 'WAITING', nextCheckAt: NOW },
      (store: TaskStore, n: number) => claimDue(store, NOW + n, 25),
    ],
  ] as const)(
    'concurrent claims of %s keep their limit and return no task twice',
    async (_, fields, claim) => {
      const stores = await open();
      await Promise.all(Array.from({ length: 40 }, () => insertVisible(stores[0], fields)));
      const ids = (await everywhere(stores, 6, claim)).flatMap(({ records }) => idsOf(records));
      expect([ids.length, new Set(ids).size]).toEqual([25, 25]);
    },
  );

  it('concurrent inserts keep a cap, and one of them gets a key', async () => {
    const stores = await open();
    const cap = { limit: 7, windowMs: 60_000 };
    const answers = await everywhere(stores, 10, (store) => store.insert(hiddenTask(), [cap]));
    expect(answers.filter((answer) => 'id' in answer)).toHaveLength(7);
    const stored = await everywhere(stores, 10, (store, index) =>
      store.insert(hiddenTask({ owner: 'bob', idempotencyKey: `key ${index % 2}` })),
    );
    expect(new Set(idsOf(stored)).size).toBe(2);
    expect(await stores[1].queue(NOW)).toHaveLength(9);
  });

  it('exactly one of many concurrent saves of a version succeeds', async () => {
    const stores = await open();
    const task = await insertHidden(stores[0]);
    const written = await everywhere(stores, 5, (store, n) => store.save({ ...task, updatedAt: NOW + n }));
    const winners = written.filter((one) => one !== null);
    expect(winners).toHaveLength(1);
    for (const store of stores) expect(await store.get(task.id)).toEqual(winners[0]);
  });

  it('writes of the same tasks in different orders all end', async () => {
    const [one, other] = await open();
    const tasks = await Promise.all(Array.from({ length: 40 }, () => insertHidden(one)));
    const written = await Promise.all([
      ...tasks.map((task) => one.amend(task)),
      ...tasks.toReversed().map((task) => other.amend(task)),
    ]);
    expect(written.filter((record) => record !== null)).toHaveLength(40);
  });

  it('processes share a secret even if they create it at once', async () => {
    const secrets = await everywhere(await open(), 3, (store) => store.secret('callback'));
    expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(1);
  });
});

describe('several stores on one database', () => {
  it('replicas publish every change of all of them once, in order of revision', async () => {
    const replicas = await openAll(3);
    const stores = replicas.map(({ store }) => store);
    const written = await everywhere(stores, 60, (store) => insertVisible(store));
    const revisions = written.map(({ revision }) => revision).sort((one, other) => one - other);
    await Promise.all(replicas.map(({ tells }) => tells(revisions.at(-1) ?? 0)));
    for (const { told } of replicas) expect(told.map(({ revision }) => revision)).toEqual(revisions);
  });

  it('replicas publish the newest state of a task that several of them change', async () => {
    const replicas = await openAll(2);
    const [{ store: first }] = replicas;
    const { id } = await insertVisible(first);
    await everywhere(
      replicas.map(({ store }) => store),
      20,
      async (store, index) => {
        const current = await store.get(id);
        if (current) await store.save({ ...current, updatedAt: NOW + index });
      },
    );
    const last = await first.find('ann', id);
    for (const { tells, told } of replicas) {
      await tells(last?.revision ?? 0);
      const revisions = told.map(({ revision }) => revision);
      expect(revisions).toEqual([...new Set(revisions)].sort((one, other) => one - other));
      expect(told.at(-1)).toEqual(last);
    }
  });

  it('a replica without listeners reads no changes until one attaches', async () => {
    const [writer, idle = writer] = await openAll(2);
    await idle.wakes.take();
    idle.listeners = 0;
    const before = idle.reads();
    for (let time = 0; time < 3; time += 1) {
      await insertVisible(writer.store);
      await idle.wakes.take();
    }
    await setImmediate();
    expect([idle.reads(), idle.told]).toEqual([before, []]);
    idle.listeners = 1;
    await idle.store.follow();
    const { id, revision } = await insertVisible(writer.store);
    await idle.tells(revision);
    expect(idsOf(idle.told)).toEqual([id]);
  });
});

const TASKS = 5;

type Step =
  | { readonly kind: 'send'; readonly limit: number }
  | { readonly kind: 'cancel'; readonly place: number }
  | { readonly kind: 'pause' };

const STEPS = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('send' as const), limit: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('cancel' as const), place: fc.nat(TASKS - 1) }),
    fc.record({ kind: fc.constant('pause' as const) }),
  ),
  { maxLength: 25 },
);

/** Who sends and who cancels: the same process, or another one on the same database. */
interface Parties {
  readonly sender: TaskStore;
  readonly canceller: TaskStore;
}

const PARTIES: readonly { readonly name: string; open(): Promise<Parties> }[] = [
  ...STORES.map(({ name, open }) => ({
    name,
    async open() {
      const { store } = await open();
      return { sender: store, canceller: store };
    },
  })),
  {
    name: 'PostgreSQL, by two processes',
    async open() {
      const [sender, canceller = sender] = await openAll(2);
      return { sender: sender.store, canceller: canceller.store };
    },
  },
];

const clock = createStandingClock(NOW);

/** Does all of it at once but for the pauses; returns what was handed out to be sent, and how each cancelling ended. */
async function run({ canceller, sender }: Parties, tasks: readonly VisibleRecord[], steps: readonly Step[]) {
  const sent: Promise<string[]>[] = [];
  const cancelled: Promise<CancelResult>[] = [];
  // In windows of no length each call takes as many as its limit allows.
  const send = async (limit: number): Promise<string[]> =>
    idsOf((await claimSubmissions(sender, { limit, windowMs: 0 })).records);
  for (const step of steps) {
    if (step.kind === 'send') sent.push(send(step.limit));
    else if (step.kind === 'pause') await setImmediate();
    else cancelled.push(cancelTask({ clock, store: canceller }, 'ann', tasks[step.place]?.id ?? ''));
  }
  const results = await Promise.all(cancelled);
  await Promise.all(sent);
  // Whatever is left waits no longer.
  sent.push(send(TASKS));
  return { sent: (await Promise.all(sent)).flat(), results };
}

describe.each(PARTIES)('cancelling: $name', ({ open }) => {
  it('a task that is cancelled while it is sent is either sent once or cancelled', async () => {
    const parties = await open();
    await fc.assert(
      fc.asyncProperty(STEPS, async (steps) => {
        const tasks = await Promise.all(
          Array.from({ length: TASKS }, () => insertVisible(parties.canceller)),
        );
        const { results, sent } = await run(parties, tasks, steps);
        const idsWith = (kind: CancelResult['kind']): Set<string> =>
          new Set(results.filter((result) => result.kind === kind).map(({ task }) => task.id));
        const cancelled = idsWith('cancelled');

        expect([...sent, ...cancelled].sort()).toEqual(idsOf(tasks).sort());
        for (const id of idsWith('too-late')) expect(sent).toContain(id);
        for (const { id } of tasks) {
          const record = await parties.sender.get(id);
          expect(record).toMatchObject(
            cancelled.has(id)
              ? { state: 'FAIL', failure: { code: 'CANCELLED' }, markedAt: null }
              : { state: 'SUBMITTING', failure: null, markedAt: NOW },
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});
