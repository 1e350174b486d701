import { expect, test } from 'vitest';
import { createTask } from '../api/client.ts';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';
import { onTestEnd } from '../kit/waits.ts';
import { emptyDatabase, queryDatabase } from '../kit/store.ts';
import { openSse } from '../kit/sse.ts';

test('a database that has lost what was told has subscriptions begin anew, and they miss nothing that comes', async () => {
  const { gateway, lost, takeOver } = await startBeforeFailover();
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const watch = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
  const stream = await openSse(gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
  for (const one of [watch, stream]) expect((await one.data()).tasksUpdated).toBeTruthy();
  const last = (await watch.data()).tasksUpdated;
  expect(last.id).toBe(lost.id);

  await takeOver();
  // Codes after which clients of graphql-ws come back by themselves, and an end that clients of event streams take for a cut.
  expect((await socket.closed).code).toBe(1012);
  await expect(stream.completed()).rejects.toThrow('ended with its connection');

  const again = await openGraphqlWs(gateway.graphqlUrl);
  const after = again.subscribe({ query: TASKS_UPDATED, variables: { after: last.revision } });
  const next = await createTask(gateway);
  const told = (await after.data()).tasksUpdated;
  expect(told.id).toBe(next.id);
  expect(told.revision).toBeGreaterThan(last.revision);
  const gone = again.subscribe({ query: TASK_UPDATED, variables: { id: lost.id, after: last.revision } });
  expect((await gone.next()).errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['NOT_FOUND']);
});

test('a database that took over while nobody watched gives no revision that a client may have', async () => {
  const { gateway, lost, takeOver } = await startBeforeFailover();
  await takeOver();
  const next = await createTask(gateway);
  expect(next.revision).toBeGreaterThan(lost.revision);
});

/**
 * A gateway on a database that has a standby, which lacks the last task. `takeOver` ends all connections and puts the
 * standby at the same address.
 */
async function startBeforeFailover() {
  const provider = await startFakeProvider();
  provider.answer('createTask', ...['kie-1', 'kie-2', 'kie-3'].map((id) => created(id)));
  const url = await emptyDatabase();
  const name = new URL(url).pathname.slice(1);
  const admin = new URL(url);
  admin.pathname = '/postgres';
  const run = (statement: string) => queryDatabase(admin.href, statement);
  const env = { DATABASE_URL: url };

  const first = await startGateway({ provider, env });
  await createTask(first);
  await first.close();
  await run(`create database ${name}_standby template ${name}`);
  onTestEnd(async () => {
    for (const suffix of ['_standby', '_primary'])
      await run(`drop database if exists ${name}${suffix} with (force)`);
  });
  const gateway: Gateway = await startGateway({ provider, env });
  const lost = await createTask(gateway);

  async function takeOver(): Promise<void> {
    await run(`alter database ${name} allow_connections false`);
    await run(`select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '${name}'`);
    await run(`alter database ${name} rename to ${name}_primary`);
    await run(`alter database ${name}_standby rename to ${name}`);
  }
  return { gateway, lost, takeOver };
}
