import { describe, expect, test } from 'vitest';
import { type ApiTask, type TaskState, CREATE, TASK, TASK_UPDATED, input } from '../kit/documents.ts';
import { deferred } from '../kit/waits.ts';
import { graphql, dataOf, type ResultStream } from '../kit/graphql.ts';
import { created, createBody } from '../kit/kie.ts';
import { DOORS } from './doors.ts';
import { beginLife, startLifeGateway } from './task-life.ts';

const STATES: readonly TaskState[] = ['SUBMITTING', 'WAITING', 'QUEUING', 'GENERATING'];
const MOVES = ['WAITING', 'QUEUING', 'GENERATING'] as const;
const ENDS = ['SUCCESS', 'FAIL'] as const;

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
      const kit = await startLifeGateway();
      const life = await beginLife(kit, 'kie-1');
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
      const kit = await startLifeGateway();
      const { graphqlUrl } = kit.gateway;
      const life = await beginLife(kit, 'kie-1');
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

  test.each(STATES.map((state, moves) => ({ state, moves })))(
    'begins with $state when the task is there, and goes on from it',
    async ({ moves, state }) => {
      const kit = await startLifeGateway();
      const life = await beginLife(kit, 'kie-1');
      for (const move of MOVES.slice(0, moves)) await life.move(move);
      const stream = await watch(kit.gateway.graphqlUrl, life.id);
      expect((await stream.data()).taskUpdated.state).toBe(state);
      await life.move('SUCCESS');
      expect((await stream.data()).taskUpdated.state).toBe('SUCCESS');
      await stream.completed();
    },
  );

  test.each(ENDS)('of a task in %s shows it once and completes at once', async (end) => {
    const kit = await startLifeGateway();
    const life = await beginLife(kit, 'kie-1');
    await life.move(end);
    const seen = await readAll(await watch(kit.gateway.graphqlUrl, life.id));
    expect(seen.map(({ state }) => state)).toEqual([end]);
  });

  test("takes the provider's id as well", async () => {
    const kit = await startLifeGateway();
    const life = await beginLife(kit, 'kie-1');
    await life.move('WAITING');
    const stream = await watch(kit.gateway.graphqlUrl, 'kie-1');
    expect((await stream.data()).taskUpdated).toMatchObject({ id: life.id, state: 'WAITING' });
    await life.move('SUCCESS');
    expect((await stream.data()).taskUpdated).toMatchObject({ id: life.id, state: 'SUCCESS' });
    await stream.completed();
  });

  test('with `after` leaves out what is not newer', async () => {
    const kit = await startLifeGateway();
    const { graphqlUrl } = kit.gateway;
    const life = await beginLife(kit, 'kie-1');
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
    const { gateway } = await startLifeGateway();
    for (const id of ['no-such-task', '', '\u0000', 'x'.repeat(10_000)]) {
      const stream = await watch(gateway.graphqlUrl, id);
      const { data, errors } = await stream.next();
      expect(data ?? null).toBeNull();
      expect(errors).toMatchObject([{ path: ['taskUpdated'], extensions: { code: 'NOT_FOUND' } }]);
      await stream.completed();
    }
  });

  test('of a task that nobody was told of yet answers as for an unknown one', async () => {
    const { gateway, provider } = await startLifeGateway({ overrides: { timings: { createWait: 60_000 } } });
    const gate = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: gate.promise });
    const answer = graphql(gateway.graphqlUrl, CREATE, { input: input() });
    const { callBackUrl = '' } = createBody(await provider.received('createTask'));
    const [, id = ''] = /kie\/([^/]+)/.exec(callBackUrl) ?? [];

    const stream = await watch(gateway.graphqlUrl, id);
    expect((await stream.next()).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    await stream.completed();

    gate.resolve();
    expect(dataOf((await answer).body).createImageToVideo).toMatchObject({ task: { id, state: 'WAITING' } });
  });

  test.each([
    ['beyond the newest revision', 1000],
    ['below zero', -1],
  ])('with an `after` %s answers with one BAD_USER_INPUT and completes', async (_, after) => {
    const kit = await startLifeGateway();
    const life = await beginLife(kit, 'kie-1');
    const stream = await watch(kit.gateway.graphqlUrl, life.id, after);
    expect((await stream.next()).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    await stream.completed();
    expect(kit.gateway.app.stats().listeners).toBe(0);
    await life.move('SUCCESS');
  });
});

/** All tasks of a stream that is to be completed by the server. */
async function readAll(stream: ResultStream<{ taskUpdated: ApiTask }>): Promise<readonly ApiTask[]> {
  const seen: ApiTask[] = [];
  for await (const result of stream) seen.push(dataOf(result).taskUpdated);
  await stream.completed();
  return seen;
}
