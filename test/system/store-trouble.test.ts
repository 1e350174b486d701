import { describe, expect, test } from 'vitest';
import { bundleMortalGateway, createSuccession, type Orders } from '../kit/crash.ts';
import { type ApiTask, CREATE, TASK, TASKS, TASK_UPDATED, input } from '../kit/documents.ts';
import { dataOf, graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, notVisibleYet } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { LOCKED, possibleTroubles, type StoreTrouble } from '../kit/store.ts';
import { deferred, oncePerFile } from '../kit/waits.ts';
import { callBack } from './client.ts';

const program = await oncePerFile(bundleMortalGateway)();
const OUTAGE = { codes: ['SERVICE_UNAVAILABLE'] };

describe.each(await possibleTroubles())('a store $name', (trouble) => {
  test('has mutations and callbacks tried again, answers queries, and works again when the trouble is over', async () => {
    const { create, gateway, provider, startTrouble } = await start(trouble);
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const { id = '' } = await create('before');
    const call = await provider.received('createTask');
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const watch = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
    expect((await watch.data()).taskUpdated.state).toBe('WAITING');

    const endTrouble = await startTrouble();
    expect(await create('meanwhile')).toEqual(OUTAGE);
    const { err } = await gateway.logged('a GraphQL operation failed unexpectedly');
    expect(err).toMatchObject({ message: expect.stringContaining(trouble.reason) as string });
    const refused = await callBack(gateway.url, call, 'kie-1');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    const found = await graphql(gateway.graphqlUrl, TASK, { id });
    expect(dataOf(found.body).task).toMatchObject({ id, state: 'WAITING' });
    const listed = await graphql(gateway.graphqlUrl, TASKS);
    expect(dataOf(listed.body).tasks.edges.map(({ node }) => node.id)).toEqual([id]);
    const late = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
    expect((await late.data()).taskUpdated.state).toBe('WAITING');
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    expect((await fetch(`${gateway.url}/ready`)).status).toBe(503);

    await endTrouble();
    expect(await create('meanwhile')).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-2' });
    expect((await callBack(gateway.url, call, 'kie-1')).status).toBe(200);
    for (const stream of [watch, late]) {
      expect((await stream.data()).taskUpdated.state).toBe('SUCCESS');
      await stream.completed();
    }
    expect(provider.requests('createTask')).toHaveLength(2);
  });

  test('gets the outcome of a create call when the trouble is over, and the call is not sent again', async () => {
    // However long the trouble takes to begin: the mutation is not answered before.
    const options = { env: { CREATE_WAIT_MS: '10' }, holds: 'the announcement' } as const;
    const { create, gateway, provider, startTrouble } = await start(trouble, options);
    const answered = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answered.promise });
    const asked = create('a wish');
    await provider.received('createTask');

    const endTrouble = await startTrouble();
    gateway.release();
    answered.resolve();
    await gateway.logged('storing the outcome of a create call failed; retrying');
    expect(await asked).toEqual(OUTAGE);
    await endTrouble();
    await gateway.logged('after the writing of WAITING');
    expect(await create('a wish')).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-1' });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

test('while the store is locked, a rush of mutations does not hold up what needs no lock', async () => {
  const { create, gateway, startTrouble } = await start(LOCKED);
  const endTrouble = await startTrouble();
  let unanswered = 40;
  const rush = Array.from({ length: unanswered }, async (_, index) => {
    const outcome = await create(`wish ${index}`);
    unanswered -= 1;
    return outcome;
  });
  const isUnanswered = (): boolean => unanswered > 0;
  const durations: number[] = [];
  while (isUnanswered()) {
    const askedAt = performance.now();
    await fetch(`${gateway.url}/health`);
    durations.push(performance.now() - askedAt);
  }
  for (const outcome of await Promise.all(rush)) expect(outcome).toEqual(OUTAGE);
  await endTrouble();
  // Were each to wait for the lock by itself, and the process with it, this would take ten seconds.
  expect(Math.max(...durations)).toBeLessThan(2000);
});

async function start(
  trouble: StoreTrouble,
  { env = {}, holds = null }: Partial<Orders> & { readonly env?: Readonly<Record<string, string>> } = {},
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
  return {
    gateway,
    provider,
    startTrouble: () => trouble.begin({ dataDir, pid: gateway.pid }),
    /** The task, or the codes of the errors. */
    async create(prompt: string): Promise<Partial<ApiTask> & { readonly codes?: readonly unknown[] }> {
      const variables = { input: input({ prompt, idempotencyKey: prompt }) };
      const { body } = await graphql(gateway.graphqlUrl, CREATE, variables);
      const result = body.data?.createImageToVideo;
      if (result?.__typename === 'CreateImageToVideoSuccess') return result.task;
      return { codes: (body.errors ?? []).map(({ extensions }) => extensions?.['code']) };
    },
  };
}
