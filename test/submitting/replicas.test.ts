import { expect, test } from 'vitest';
import { systemClock, type Clock } from '../../src/tasks/clock.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import type { Tasks } from '../../src/tasks/tasks.ts';
import type { Timings } from '../../src/tasks/timings.ts';
import { quickDir } from '../kit/gateway.ts';
import { created, notVisibleYet, refused } from '../kit/kie.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { createLife } from '../kit/simulation.ts';
import { createClient } from '../providers/kie-client.ts';
import { openSqliteStore } from '../kit/store.ts';
import { createQueue, deferred, onTestEnd, recordFailure, staysPending } from '../kit/waits.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';
import { acceptedAsPrompt, promptOf } from './standing-gateway.ts';

const IMAGE = { imageUrl: 'https://files.example/first.png' };
const WISH = { ...IMAGE, prompt: 'snow', idempotencyKey: 'one' };

/** One store and several processes, none of which is told what another one writes. */
async function openReplicas(provider: FakeProvider) {
  const real = await openSqliteStore(await quickDir());
  onTestEnd(() => real.close());
  const inserts = createQueue<TaskRecord>('a task that a process stores');
  const insert = async (record: TaskRecord): Promise<TaskRecord> => {
    const stored = await real.insert(record);
    inserts.push(stored);
    return stored;
  };
  const getByKey = async (owner: string, key: string): Promise<TaskRecord | null> => {
    const twin = await real.getByKey(owner, key);
    if (twin) inserts.push(twin);
    return twin;
  };

  /** A process that takes wishes and never gets to anything else: it dies too early. */
  async function stillborn(timings: Partial<Timings> = {}, clock: Clock = systemClock): Promise<Tasks> {
    const kie = createClient(provider.url, { createTimeoutMs: 10_000, queryTimeoutMs: 10_000 });
    const store = { ...real, insert, getByKey };
    const { tasks } = await createLife({ store, clock, provider: kie, timings, onError: recordFailure });
    return tasks;
  }

  return {
    store: real,
    stillborn,
    /** What the next process that wanted to store a task has stored, or found in its place. */
    stored: () => inserts.take(),
    /** Who is not told of an outcome looks for it soon. */
    async start(timings: Partial<Timings> = { outcomeLook: 10 }, clock?: Clock): Promise<Tasks> {
      const tasks = await stillborn(timings, clock);
      tasks.start();
      onTestEnd(async () => {
        await tasks.stop(0);
      });
      return tasks;
    },
  };
}

const failure = { code: 'INSUFFICIENT_CREDITS', providerCode: '402', message: 'Top up' };

test.each([
  ['accepted', created('kie-1'), { kind: 'success', task: { state: 'WAITING', providerTaskId: 'kie-1' } }],
  ['refused', refused(402, 'Top up'), { kind: 'refused', failure }],
  ['unknown', { reset: true }, { kind: 'success', task: { state: 'SUBMITTING' } }],
])(
  'twins in two replicas wait for one create call and get the same answer: %s',
  async (how, answer, expected) => {
    const provider = await startFakeProvider();
    const replicas = await openReplicas(provider);
    const [first, second] = [await replicas.start(), await replicas.start()];
    const gate = deferred();
    provider.answer('createTask', { ...answer, gate: gate.promise }, created('kie-2'));
    const wishes = [first.create('ann', WISH)];
    await provider.received('createTask');
    wishes.push(second.create('ann', WISH));
    await staysPending(Promise.race(wishes));
    gate.resolve();
    const [one, other] = await Promise.all(wishes);
    expect(one).toMatchObject(expected);
    expect(other).toEqual(one);
    expect(provider.requests('createTask')).toHaveLength(1);
    // A refusal frees the key; otherwise a later twin finds the task.
    const later = await second.create('ann', WISH);
    if (how === 'refused')
      expect(later).toMatchObject({ kind: 'success', task: { providerTaskId: 'kie-2' } });
    else expect(later).toEqual(one);
  },
);

test('a twin creates the task again that was deleted unsent after a crash', async () => {
  const provider = await startFakeProvider();
  provider.answer('createTask', created('kie-1'));
  const replicas = await openReplicas(provider);
  void (await replicas.stillborn({}, createStandingClock())).create('ann', WISH);
  const orphan = await replicas.stored();
  const twin = (await replicas.start()).create('ann', WISH);
  expect((await replicas.stored()).id).toBe(orphan.id);
  expect(await replicas.store.sweepOrphans(Infinity)).toBe(1);
  expect(await twin).toMatchObject({ kind: 'success', task: { providerTaskId: 'kie-1' } });
  expect(await replicas.store.get(orphan.id)).toBeNull();
  expect(provider.requests('createTask')).toHaveLength(1);
});

test('owners are served round robin, oldest task first', async () => {
  const provider = await startFakeProvider();
  provider.always('createTask', acceptedAsPrompt);
  provider.always('recordInfo', notVisibleYet());
  const replicas = await openReplicas(provider);
  const clock = createStandingClock();
  const tasks = await replicas.start({ createsPerWindow: 2, createWait: 0 }, clock);
  for (const wish of ['cat 1', 'cat 2', 'ann 1', 'ann 2', 'ann 3', 'ann 4', 'bob 1', 'bob 2']) {
    await tasks.create(wish.slice(0, 3), { ...IMAGE, prompt: wish });
    clock.advance(1);
  }
  const windows: string[] = [];
  for (let window = 0; window < 4; window += 1) {
    const both = [await provider.received('createTask'), await provider.received('createTask')];
    windows.push(both.map(promptOf).sort().join(', '));
    clock.advance(10_500);
  }
  expect(windows).toEqual(['cat 1, cat 2', 'ann 1, bob 1', 'ann 2, bob 2', 'ann 3, ann 4']);
});
