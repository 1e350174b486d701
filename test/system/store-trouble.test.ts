import { afterAll, describe, expect, test } from 'vitest';
import { compileMortalGateway, createSuccession } from '../kit/crash.ts';
import type { Step } from '../kit/crash-steps.ts';
import { deferred } from '../kit/waits.ts';
import { CREATE, TASK, TASKS, TASK_UPDATED, input } from '../kit/documents.ts';
import { startFakeProvider, type ProviderRequest } from '../kit/provider.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { graphql, dataOf, type GraphqlResult } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { callbackSuccess, deliverCallback, sign, createBody, created, notVisibleYet } from '../kit/kie.ts';
import { LOCKED, possibleTroubles, type StoreTrouble } from '../kit/store.ts';

const program = await compileMortalGateway();
afterAll(program.remove);

const TROUBLES = await possibleTroubles();

describe.each(TROUBLES)('a store $name', (trouble) => {
  test('has mutations and callbacks tried again, answers queries, and works again when the trouble is over', async () => {
    const { gateway, provider, callBack, create, startTrouble } = await start(trouble);
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const { id } = taskOf(await create('before'));
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const watch = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
    expect((await watch.data()).taskUpdated.state).toBe('WAITING');

    const endTrouble = await startTrouble();
    expect(codesOf(await create('meanwhile'))).toEqual(['SERVICE_UNAVAILABLE']);
    const { err } = await gateway.logged('a GraphQL operation failed unexpectedly');
    expect(err).toMatchObject({ message: expect.stringContaining(trouble.reason) as string });
    const refused = await callBack('kie-1');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    const found = await graphql(gateway.graphqlUrl, TASK, { id });
    expect(dataOf(found.body).task).toMatchObject({ id, state: 'WAITING' });
    const listed = await graphql(gateway.graphqlUrl, TASKS);
    expect(dataOf(listed.body).tasks.edges.map(({ node }) => node.id)).toEqual([id]);
    const late = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
    expect((await late.data()).taskUpdated.state).toBe('WAITING');
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);

    await endTrouble();
    expect(taskOf(await create('meanwhile'))).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-2' });
    expect((await callBack('kie-1')).status).toBe(200);
    for (const stream of [watch, late]) {
      expect((await stream.data()).taskUpdated.state).toBe('SUCCESS');
      await stream.completed();
    }
    expect(provider.requests('createTask')).toHaveLength(2);
  });

  test('gets the outcome of a create call when the trouble is over, and the call is not sent again', async () => {
    // However long the trouble takes to begin: the mutation is not answered before.
    const { create, gateway, provider, startTrouble } = await start(trouble, {
      env: { CREATE_WAIT_MS: '10' },
      holds: 'the announcement',
    });
    const answered = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answered.promise });
    const asked = create('a wish');
    await provider.received('createTask');

    const endTrouble = await startTrouble();
    gateway.release();
    answered.resolve();
    await gateway.logged('storing the outcome of a create call failed; retrying');
    expect(codesOf(await asked)).toEqual(['SERVICE_UNAVAILABLE']);
    await endTrouble();
    await gateway.reaches('after the writing of WAITING');

    expect(taskOf(await create('a wish'))).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-1' });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

test('while the store is locked, a rush of mutations does not hold up what needs no lock', async () => {
  const { create, gateway, startTrouble } = await start(LOCKED);
  const endTrouble = await startTrouble();
  let unanswered = 40;
  const rush = Array.from({ length: unanswered }, async (_, index) => {
    const body = await create(`wish ${index}`);
    unanswered -= 1;
    return codesOf(body);
  });

  const isUnanswered = (): boolean => unanswered > 0;
  const durations: number[] = [];
  while (isUnanswered()) {
    const askedAt = performance.now();
    await fetch(`${gateway.url}/health`);
    durations.push(performance.now() - askedAt);
  }
  expect(new Set((await Promise.all(rush)).flat())).toEqual(new Set(['SERVICE_UNAVAILABLE']));
  await endTrouble();
  // Were each to wait for the lock by itself, and the process with it, this would take ten seconds.
  expect(Math.max(...durations)).toBeLessThan(2000);
});

async function start(
  trouble: StoreTrouble,
  {
    env = {},
    holds = null,
  }: { readonly env?: Readonly<Record<string, string>>; readonly holds?: Step | null } = {},
) {
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());
  const dataDir = await trouble.dataDir();
  const succession = await createSuccession({
    program,
    providerUrl: provider.url,
    env: { DATA_DIR: dataDir, ...env },
    timings: { outcomeLook: 100 },
  });
  const gateway = await succession.start({ holds });
  const calls = new Map<string, ProviderRequest>();

  return {
    gateway,
    provider,
    startTrouble: () => trouble.begin({ dataDir, pid: gateway.pid }),
    create: async (prompt: string) =>
      (await graphql(gateway.graphqlUrl, CREATE, { input: input({ prompt, idempotencyKey: prompt }) })).body,
    /** Of the first task. */
    async callBack(providerTaskId: string) {
      const call = calls.get(providerTaskId) ?? (await provider.received('createTask'));
      calls.set(providerTaskId, call);
      const url = gateway.url + new URL(createBody(call).callBackUrl ?? '').pathname;
      return deliverCallback(url, callbackSuccess(providerTaskId), sign(HMAC_KEY, providerTaskId));
    },
  };
}

type Created = Awaited<ReturnType<Awaited<ReturnType<typeof start>>['create']>>;

function taskOf(body: Created) {
  const result = dataOf(body).createImageToVideo;
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  return result.task;
}

function codesOf({ errors = [] }: GraphqlResult<unknown>): readonly unknown[] {
  return errors.map(({ extensions }) => extensions?.['code']);
}
