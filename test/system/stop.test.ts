import { expect, test } from 'vitest';
import { deferred } from '../kit/waits.ts';
import { TASK, TASKS } from '../kit/documents.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { temporaryDir, startReplica } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, notVisibleYet } from '../kit/kie.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { startBuilt } from '../kit/process.ts';
import { createTask, watchToTheEnd } from './client.ts';

test('asked to stop, it sends its clients away, exits 0 within 5 s and has lost no task', async () => {
  const DATA_DIR = await temporaryDir();
  const gateway = await startBuilt({ DATA_DIR });
  const prompt = 'snow falling [sandbox: duration=3s]';
  const ids = [];
  for (let i = 0; i < 3; i += 1) ids.unshift((await createTask(gateway.graphqlUrl, { prompt })).id);
  const socket = await openGraphqlWs(gateway.graphqlUrl);

  const signalledAt = performance.now();
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
  expect(performance.now() - signalledAt).toBeLessThan(5000);
  expect((await socket.closed).code).toBe(1001);

  const again = await startBuilt({ DATA_DIR });
  const { body } = await graphql(again.graphqlUrl, TASKS);
  expect(dataOf(body).tasks.edges.map(({ node }) => node.id)).toEqual(ids);
  const ends = await Promise.all(ids.map((id) => watchToTheEnd(again.graphqlUrl, id)));
  expect(ends.map((seen) => seen.at(-1)?.state)).toEqual(['SUCCESS', 'SUCCESS', 'SUCCESS']);
});

test('killed in the middle of a task and started again, it brings the task to SUCCESS', async () => {
  const DATA_DIR = await temporaryDir();
  const gateway = await startBuilt({ DATA_DIR });
  const { id, state } = await createTask(gateway.graphqlUrl, { prompt: 'snow [sandbox: duration=4s]' });
  expect(state).toBe('WAITING');
  gateway.signal('SIGKILL');
  expect((await gateway.exited).signal).toBe('SIGKILL');

  const again = await startBuilt({ DATA_DIR });
  expect((await watchToTheEnd(again.graphqlUrl, id)).at(-1)?.state).toBe('SUCCESS');
});

test('a second signal ends it at once, though a create call is in the air, and that call is never sent again', async () => {
  const provider = await startFakeProvider();
  provider.answer('createTask', { hang: true });
  const env = { ...kieEnv(provider), DATA_DIR: await temporaryDir() };
  const gateway = await startBuilt(env);
  const creating = createTask(gateway.graphqlUrl);
  await provider.received('createTask');

  gateway.signal('SIGTERM');
  // The caller is answered before the process goes.
  const { id, state } = await creating;
  expect(state).toBe('SUBMITTING');
  await gateway.logged('stopping');
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toEqual({ code: 1, signal: null });

  const again = await startBuilt(env);
  expect((await watchToTheEnd(again.graphqlUrl, id)).at(-1)?.failure?.code).toBe('SUBMISSION_UNKNOWN');
  expect(provider.requests('createTask')).toHaveLength(1);
});

test('asked to stop with a create call in the air, it waits for the answer and keeps it', async () => {
  const provider = await startFakeProvider();
  const answered = deferred();
  provider.answer('createTask', { ...created('kie-1'), gate: answered.promise });
  provider.always('recordInfo', notVisibleYet());
  const env = { ...kieEnv(provider), DATA_DIR: await temporaryDir() };
  const gateway = await startBuilt(env);
  const creating = createTask(gateway.graphqlUrl);
  await provider.received('createTask');
  // As a terminal asks, with Ctrl+C.
  gateway.signal('SIGINT');
  const { id } = await creating;
  answered.resolve();
  expect(await gateway.exited).toEqual({ code: 0, signal: null });

  const again = await startBuilt(env);
  const { body } = await graphql(again.graphqlUrl, TASK, { id });
  expect(dataOf(body).task).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-1' });
});

test('asked to stop while its database does not answer, it answers what waits and ends in its time', async () => {
  const provider = await startFakeProvider();
  const answered = deferred();
  provider.answer('createTask', { ...created('kie-1'), gate: answered.promise });
  provider.always('recordInfo', notVisibleYet());
  const gateway = await startReplica('key-of-the-test', {
    databaseUrl: await temporaryDatabase(),
    env: { KIE_API_URL: provider.url, SHUTDOWN_MS: '4000' },
  });
  const creating = createTask(gateway.graphqlUrl).catch((error: unknown) => error);
  await provider.received('createTask');
  gateway.network.blackHole();
  // Its outcome cannot be stored, which the process tries for as long as it may.
  answered.resolve();
  const asked = [1, 2, 3].map(() => graphql(gateway.graphqlUrl, TASKS));
  await gateway.logged('create call ended');
  // Connections are taken in their order: after this answer the others were taken as well.
  await fetch(`${gateway.url}/health`);

  const signalledAt = performance.now();
  gateway.signal('SIGTERM');
  for (const { body } of await Promise.all(asked))
    expect(body.errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['SERVICE_UNAVAILABLE']);
  expect(await creating).toBeInstanceOf(Error);
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
  // SHUTDOWN_MS, and what a busy machine takes to end a process: a statement alone would be waited for longer.
  expect(performance.now() - signalledAt).toBeLessThan(6000);
});

function kieEnv(provider: FakeProvider) {
  return { KIE_API_KEY: 'key-of-the-test', KIE_API_URL: provider.url };
}
