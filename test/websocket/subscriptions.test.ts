import { describe, expect, test } from 'vitest';
import {
  CREATE,
  TASK,
  TASKS_UPDATED,
  TASK_UPDATED,
  input,
  type ApiTask,
  type TaskState,
} from '../kit/documents.ts';
import { HMAC_KEY, startGateway, type GatewayOptions } from '../kit/gateway.ts';
import { dataOf, graphql, type ResultStream } from '../kit/graphql.ts';
import { callbackFail, callbackSuccess, created, deliverCallback, sign } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { deferred, staysPending } from '../kit/waits.ts';
import { createTask, taskIdOf } from '../api/client.ts';
import { DOORS, type DoorStream, startHeldGateway } from './held-gateway.ts';
import { OWNER, addTask, change } from './stored-tasks.ts';

const MOVES = ['WAITING', 'QUEUING', 'GENERATING'] as const;
const STATES: readonly TaskState[] = ['SUBMITTING', ...MOVES];
const ENDS = ['SUCCESS', 'FAIL'] as const;

/** A gateway whose tasks are visible before the provider has answered, and move when the test says so. */
async function startLives(timings: NonNullable<GatewayOptions['overrides']>['timings'] = { createWait: 0 }) {
  const provider = await startFakeProvider();
  const gateway = await startGateway({ provider, overrides: { timings } });
  const begin = async (kieId = 'kie-1') => {
    const gate = deferred();
    provider.answer('createTask', { ...created(kieId), gate: gate.promise });
    const task = await createTask(gateway);
    const url = gateway.callbackUrl(await provider.received('createTask'));
    /** Has the provider call back with this state; fulfilled when the gateway has taken it. */
    const move = async (state: Exclude<TaskState, 'SUBMITTING'>): Promise<void> => {
      const running = { state: state.toLowerCase(), resultJson: null };
      const fields = state === 'SUCCESS' ? {} : running;
      const callback = state === 'FAIL' ? callbackFail(kieId) : callbackSuccess(kieId, fields);
      expect((await deliverCallback(url, callback, sign(HMAC_KEY, kieId))).status).toBe(200);
      gate.resolve();
    };
    return { ...task, created: task, move };
  };
  return { begin, gateway, graphqlUrl: gateway.graphqlUrl, provider };
}

describe.each(DOORS)('taskUpdated over $name', ({ subscribe }) => {
  const watch = async (
    url: string,
    id: string,
    after?: number,
  ): Promise<ResultStream<{ taskUpdated: ApiTask }>> =>
    subscribe(url, { query: TASK_UPDATED, variables: { id, after } });

  test.each(ENDS)(
    'shows every state from SUBMITTING to %s to a reader that keeps up, then completes',
    async (end) => {
      const kit = await startLives();
      const life = await kit.begin();
      const stream = await watch(kit.gateway.graphqlUrl, life.id);
      expect((await stream.data()).taskUpdated).toEqual(life.created);

      for (const state of [...MOVES, end]) {
        await life.move(state);
        expect((await stream.data()).taskUpdated).toMatchObject({ id: life.id, state });
      }
      await stream.completed();
      expect(kit.gateway.app.stats().listeners).toBe(0);
    },
  );

  test.each(ENDS)(
    'shows no step back, ends with %s and completes, whenever a subscriber attaches',
    async (end) => {
      const kit = await startLives();
      const { graphqlUrl } = kit.gateway;
      const life = await kit.begin();
      const readers: Promise<readonly ApiTask[]>[] = [];
      const attach = (): number => readers.push(watch(graphqlUrl, life.id).then(readAll));

      for (const state of [...MOVES, end]) {
        // In the middle of the step, wherever each of them happens to fall.
        for (let count = 0; count < 5; count += 1) attach();
        await life.move(state);
        attach();
      }

      const { task } = dataOf((await graphql(graphqlUrl, TASK, { id: life.id })).body);
      for (const seen of await Promise.all(readers)) {
        expect(seen.at(-1)).toEqual(task);
        const revisions = seen.map(({ revision }) => revision);
        expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
        const ranks = seen.map(({ state }) => [...STATES, end].indexOf(state));
        expect(ranks).toEqual([...new Set(ranks)].sort((a, b) => a - b));
      }
      expect(kit.gateway.app.stats().listeners).toBe(0);
    },
  );

  test('begins with the current state, whatever it is, also by the id of the provider', async () => {
    const kit = await startLives();
    for (const [moves, state] of STATES.entries()) {
      const life = await kit.begin(`kie-${moves}`);
      for (const move of MOVES.slice(0, moves)) await life.move(move);
      const stream = await watch(kit.graphqlUrl, moves === 0 ? life.id : `kie-${moves}`);
      expect((await stream.data()).taskUpdated).toMatchObject({ id: life.id, state });
      await life.move('SUCCESS');
      expect((await stream.data()).taskUpdated.state).toBe('SUCCESS');
      await stream.completed();
    }
  });

  test.each(ENDS)('of a task in %s shows it once and completes at once', async (end) => {
    const kit = await startLives();
    const life = await kit.begin();
    await life.move(end);
    const seen = await readAll(await watch(kit.gateway.graphqlUrl, life.id));
    expect(seen.map(({ state }) => state)).toEqual([end]);
  });

  test('with `after` leaves out what is not newer', async () => {
    const kit = await startLives();
    const { graphqlUrl } = kit.gateway;
    const life = await kit.begin();
    const known = await watch(graphqlUrl, life.id, life.created.revision);
    const older = await watch(graphqlUrl, life.id, 0);
    expect((await older.data()).taskUpdated.state).toBe('SUBMITTING');

    await life.move('SUCCESS');
    const [last, ...others] = await readAll(known);
    expect([last?.state, others.length]).toEqual(['SUCCESS', 0]);
    expect((await readAll(older)).map(({ state }) => state)).toEqual(['SUCCESS']);

    expect(await readAll(await watch(graphqlUrl, life.id, last?.revision))).toEqual([]);
  });

  test('of an unknown id answers with one NOT_FOUND and completes', async () => {
    const { gateway } = await startLives();
    for (const id of ['no-such-task', '', '\u0000', 'x'.repeat(10_000)]) {
      const stream = await watch(gateway.graphqlUrl, id);
      const { data, errors } = await stream.next();
      expect(data ?? null).toBeNull();
      expect(errors).toMatchObject([{ path: ['taskUpdated'], extensions: { code: 'NOT_FOUND' } }]);
      await stream.completed();
    }
  });

  test('of a hidden task answers as for an unknown one', async () => {
    const { graphqlUrl, provider } = await startLives({ createWait: 60_000 });
    const gate = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: gate.promise });
    const answer = graphql(graphqlUrl, CREATE, { input: input() });
    const id = taskIdOf(await provider.received('createTask'));
    const stream = await watch(graphqlUrl, id);
    expect((await stream.next()).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    await stream.completed();
    gate.resolve();
    expect(dataOf((await answer).body).createImageToVideo).toMatchObject({ task: { id, state: 'WAITING' } });
  });

  test('with an `after` that is no revision answers with one BAD_USER_INPUT and completes', async () => {
    const kit = await startLives();
    const life = await kit.begin();
    for (const after of [1000, -1]) {
      const stream = await watch(kit.graphqlUrl, life.id, after);
      expect((await stream.next()).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
      await stream.completed();
    }
    expect(kit.gateway.app.stats().listeners).toBe(0);
    await life.move('SUCCESS');
  });
});

type Stream = DoorStream<{ tasksUpdated: ApiTask }>;

describe.each(DOORS)('tasksUpdated over $name', ({ subscribe }) => {
  const watch = (url: string, after?: number | null): Promise<Stream> =>
    subscribe(url, { query: TASKS_UPDATED, variables: { after } });

  test('shows every change of every task, and never completes by itself', async () => {
    const { begin, gateway, graphqlUrl } = await startLives();
    const stream = await watch(graphqlUrl, 0);
    const completed = stream.completed();
    completed.catch(() => undefined);
    const lives = [await begin('kie-1'), await begin('kie-2')];
    for (const { id } of lives)
      expect((await stream.data()).tasksUpdated).toMatchObject({ id, state: 'SUBMITTING' });
    for (const state of ['WAITING', 'GENERATING', 'SUCCESS'] as const)
      for (const { id, move } of lives) {
        await move(state);
        expect((await stream.data()).tasksUpdated).toMatchObject({ id, state });
      }
    await staysPending(completed);
    expect(gateway.app.stats().listeners).toBe(1);
  });

  test.each([undefined, null])('without `after` (%s) shows only what is new', async (after) => {
    const { gateway, held, store } = await startHeldGateway();
    const old = await addTask(store);
    const attached = held.holdRead('changesAfter');
    const streaming = watch(gateway.graphqlUrl, after);
    await attached.reached;
    const added = await addTask(store);
    attached.release();
    const stream = await streaming;
    expect((await stream.data()).tasksUpdated.id).toBe(added.id);
    await change(store, old, { state: 'QUEUING' });
    expect((await stream.data()).tasksUpdated).toMatchObject({ id: old.id, state: 'QUEUING' });
  });

  test('with `after` shows first every task that changed since, in its newest state, in order, then what is live', async () => {
    const { gateway, store } = await startHeldGateway();
    const [untouched, once, often] = [await addTask(store), await addTask(store), await addTask(store)];
    const after = often.revision;
    const queuing = await change(store, often, { state: 'QUEUING' });
    await change(store, once, { state: 'QUEUING' });
    const generating = await change(store, queuing, { state: 'GENERATING' });
    const added = await addTask(store);

    const stream = await watch(gateway.graphqlUrl, after);
    const caughtUp = [await stream.data(), await stream.data(), await stream.data()];
    expect(caughtUp.map(({ tasksUpdated: { id, state } }) => [id, state])).toEqual([
      [once.id, 'QUEUING'],
      [often.id, 'GENERATING'],
      [added.id, 'WAITING'],
    ]);
    expect(caughtUp[1]?.tasksUpdated.revision).toBe(generating.revision);
    await change(store, untouched, { state: 'QUEUING' });
    expect((await stream.data()).tasksUpdated).toMatchObject({ id: untouched.id, state: 'QUEUING' });
  });

  test('a task whose presumed failure was overturned is shown again, as the success that it is', async () => {
    const { gateway, store } = await startHeldGateway();
    const stream = await watch(gateway.graphqlUrl, 0);
    const task = await addTask(store);
    const failure = { code: 'EXPIRED', providerCode: null, message: 'no final state' } as const;
    const expired = await change(store, task, { state: 'FAIL', failure, completedAt: 1 });
    const videos = [{ url: 'https://files.example/late.mp4', expiresAt: null }];
    await change(store, expired, { state: 'SUCCESS', failure: null, videos });
    let { tasksUpdated } = await stream.data();
    while (tasksUpdated.state !== 'SUCCESS') ({ tasksUpdated } = await stream.data());
    expect(tasksUpdated).toMatchObject({ id: task.id, failure: null, videos });
  });

  test('with an `after` that is no revision answers with one error and completes', async () => {
    const { attached, gateway, store } = await startHeldGateway();
    await addTask(store);
    for (const after of [2, -1]) {
      const stream = await watch(gateway.graphqlUrl, after);
      expect((await stream.next()).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
      await stream.completed();
    }
    expect(gateway.app.stats().listeners).toBe(0);
    const before = attached();
    for (const after of [1.5, '1', 2 ** 53]) {
      const stream = await watch(gateway.graphqlUrl, after as number);
      const refused = await stream.next().then(
        ({ errors }) => errors,
        () => stream.errors(),
      );
      expect(JSON.stringify(refused)).toContain('SafeInt');
    }
    expect(attached()).toBe(before);
  });

  test("shows nothing of another owner's tasks", async () => {
    const { gateway, store } = await startHeldGateway();
    const stream = await watch(gateway.graphqlUrl, 0);
    await addTask(store, { owner: 'somebody else' });
    const mine = await addTask(store, { owner: OWNER });
    expect((await stream.data()).tasksUpdated.id).toBe(mine.id);
  });

  test('a thousand changes that share a few commits arrive each, in order', async () => {
    const { gateway, store } = await startHeldGateway();
    const stream = await watch(gateway.graphqlUrl, 0);
    const added = await Promise.all(Array.from({ length: 1000 }, () => addTask(store)));
    const newest = Math.max(...added.map(({ revision }) => revision));
    const seen: number[] = [];
    while (seen.at(-1) !== newest) seen.push((await stream.data()).tasksUpdated.revision);
    expect(seen).toEqual(added.map(({ revision }) => revision).sort((a, b) => a - b));
  });
});

/** All tasks of a stream that is to be completed by the server. */
async function readAll(stream: ResultStream<{ taskUpdated: ApiTask }>): Promise<readonly ApiTask[]> {
  const seen: ApiTask[] = [];
  for await (const result of stream) seen.push(dataOf(result).taskUpdated);
  await stream.completed();
  return seen;
}
