import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DatabaseSync, type SqliteDatabase } from '../../src/store/sqlite/driver.ts';
import type { AppOptions } from '../../src/app/create-app.ts';
import { CREATE, TASK, TASKS, TASKS_UPDATED, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { onTestEnd } from '../kit/waits.ts';
import { created } from '../kit/kie.ts';
import { createTask, errorOf, findTask } from './client.ts';

const DETAIL = 'password=hush at /var/lib/secret.db';

type Wrap = NonNullable<NonNullable<AppOptions['overrides']>['wrap']>;

/** Every way of reading and of asking the provider has a bug. */
const broken: Wrap = (ports) => {
  const fail = () => Promise.reject(new TypeError(DETAIL));
  return {
    ...ports,
    store: { ...ports.store, find: fail, page: fail, insert: fail, newestRevision: fail },
    provider: { ...ports.provider, credits: fail },
  };
};

async function startBroken(): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider(), overrides: { wrap: broken } });
}

const OPERATIONS: readonly (readonly [
  field: string,
  query: string,
  variables: Readonly<Record<string, unknown>>,
])[] = [
  ['task', TASK, { id: 'x' }],
  ['tasks', TASKS, {}],
  ['account', '{ account { creditsRemaining } }', {}],
  ['createImageToVideo', CREATE, { input: input() }],
];

describe('an unexpected error', () => {
  it.each(OPERATIONS)('in %s is told without any detail', async (field, query, variables) => {
    const { graphqlUrl } = await startBroken();
    const { status, body } = await graphql(graphqlUrl, query, variables);
    expect(status).toBe(200);
    expect(body.errors).toEqual([
      {
        message: 'Something unexpected went wrong here.',
        path: expect.arrayContaining([field]) as unknown[],
        locations: [expect.any(Object) as object],
        extensions: { code: 'INTERNAL_SERVER_ERROR' },
      },
    ]);
    expect(JSON.stringify(body)).not.toMatch(/hush|secret\.db|TypeError|\bat /);
  });

  it.each(OPERATIONS)('in %s is told as little over a socket', async (_, query, variables) => {
    const socket = await openGraphqlWs((await startBroken()).graphqlUrl);
    const { errors } = await socket.subscribe({ query, variables }).next();
    expect(errors?.[0]?.extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR' });
    expect(JSON.stringify(errors)).not.toMatch(/hush|secret\.db|TypeError|\bat /);
  });

  it('in the source of a subscription is told as little, and the socket lives on', async () => {
    const socket = await openGraphqlWs((await startBroken()).graphqlUrl);
    const stream = socket.subscribe({ query: TASKS_UPDATED });
    const { errors } = await stream.next();
    expect(errors?.[0]?.extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR' });
    expect(JSON.stringify(errors)).not.toMatch(/hush|secret\.db|TypeError|\bat /);
    await stream.completed();
    expect(await socket.subscribe({ query: '{ __typename }' }).data()).toEqual({ __typename: 'Query' });
  });

  it('leaves the rest of the answer as it is', async () => {
    const { graphqlUrl } = await startBroken();
    const { body } = await graphql(graphqlUrl, '{ __typename task(id: "x") { id } }');
    expect(body.data).toEqual({ __typename: 'Query', task: null });
    expect(body.errors).toHaveLength(1);
  });
});

/** The gateway's own database, as another program on this machine sees it. */
function openDatabase({ dataDir }: Gateway): SqliteDatabase {
  const database = new DatabaseSync(join(dataDir, 'kineograph.db'));
  onTestEnd(() => {
    database.close();
  });
  return database;
}

describe('a store that fails', () => {
  it('to read is told as something to try again, and works again by itself', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const task = await createTask(gateway);

    const database = openDatabase(gateway);
    database.exec('ALTER TABLE tasks RENAME TO away');
    // Not the one above: the gateway may well remember it.
    const error = await errorOf(gateway, TASK, { id: 'kie-2' });
    expect(error).toMatchObject({
      path: ['task'],
      extensions: { code: 'SERVICE_UNAVAILABLE', hint: 'Try again in 5 s.', retryAfter: 5 },
    });
    expect(JSON.stringify(error)).not.toMatch(/sql|no such table|away/i);

    database.exec('ALTER TABLE away RENAME TO tasks');
    expect(await findTask(gateway, task.id)).toEqual(task);
  });

  it('is answered with 503 and Retry-After, but with 200 when there is data of another field', async () => {
    const gateway = await startGateway({ provider: await startFakeProvider() });
    openDatabase(gateway).exec('ALTER TABLE tasks RENAME TO away');
    const single = 'task(id: "kie-1") { id }';
    const required = 'tasks(first: 1) { revision }';
    for (const query of [single, required, `${single} again: ${single}`]) {
      const { body, headers, status } = await graphql(gateway.graphqlUrl, `{ ${query} }`);
      expect([query, status, headers.get('retry-after')]).toEqual([query, 503, '5']);
      expect(body.errors?.[0]?.extensions).toEqual({
        code: 'SERVICE_UNAVAILABLE',
        hint: 'Try again in 5 s.',
        retryAfter: 5,
      });
    }
    const some = await graphql(gateway.graphqlUrl, `{ __typename ${single} }`);
    expect([some.status, some.headers.get('retry-after')]).toEqual([200, null]);
    expect(some.body).toMatchObject({ data: { __typename: 'Query', task: null }, errors: [{}] });
  });

  it('to write is told as something to try again: nothing is sent, and the key is still free', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const database = openDatabase(gateway);
    database.exec('BEGIN IMMEDIATE');
    const error = await errorOf(gateway, CREATE, { input: input({ idempotencyKey: 'one' }) });
    expect(error).toMatchObject({
      path: ['createImageToVideo'],
      extensions: { code: 'SERVICE_UNAVAILABLE' },
    });
    expect(JSON.stringify(error)).not.toMatch(/sql|busy|locked/i);
    expect(provider.requests()).toEqual([]);

    database.exec('ROLLBACK');
    provider.answer('createTask', created('kie-1'));
    expect(await createTask(gateway, { idempotencyKey: 'one' })).toMatchObject({ state: 'WAITING' });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});
