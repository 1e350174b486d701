import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AppOptions } from '../../src/app/create-app.ts';
import { DatabaseSync, type SqliteDatabase } from '../../src/store/sqlite/driver.ts';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { CREATE, TASK, TASKS, TASKS_UPDATED, input } from '../kit/documents.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { onTestEnd } from '../kit/waits.ts';
import { createTask, errorOf, findTask } from './client.ts';

const DETAIL = 'password=hush at /var/lib/secret.db';
const INSIDE = /hush|secret\.db|TypeError|\bat |sql|no such table|away|busy|locked/i;

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

async function start(wrap?: Wrap): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider(), ...(wrap && { overrides: { wrap } }) });
}

/** The gateway's own database, as another program on this machine sees it. */
function openDatabase({ dataDir }: Gateway): SqliteDatabase {
  const database = new DatabaseSync(join(dataDir, 'kineograph.db'));
  onTestEnd(() => {
    database.close();
  });
  return database;
}

it('an unexpected error is answered without any detail over HTTP and sockets, and leaves the rest as it is', async () => {
  const { graphqlUrl } = await start(broken);
  const socket = await openGraphqlWs(graphqlUrl);
  const extensions = { code: 'INTERNAL_SERVER_ERROR' };
  const operations: readonly (readonly [string, string, Readonly<Record<string, unknown>>])[] = [
    ['task', TASK, { id: 'x' }],
    ['tasks', TASKS, {}],
    ['account', '{ account { creditsRemaining } }', {}],
    ['createImageToVideo', CREATE, { input: input() }],
  ];
  for (const [field, query, variables] of operations) {
    const { body, status } = await graphql(graphqlUrl, query, variables);
    expect(status).toBe(200);
    expect(body.errors).toEqual([
      {
        message: 'Something unexpected went wrong here.',
        path: expect.arrayContaining([field]) as unknown[],
        locations: [expect.any(Object) as object],
        extensions,
      },
    ]);
    const { errors } = await socket.subscribe({ query, variables }).next();
    expect(errors?.[0]?.extensions).toEqual(extensions);
    expect(JSON.stringify([body, errors])).not.toMatch(INSIDE);
  }
  const stream = socket.subscribe({ query: TASKS_UPDATED });
  const { errors } = await stream.next();
  expect(errors?.[0]?.extensions).toEqual(extensions);
  expect(JSON.stringify(errors)).not.toMatch(INSIDE);
  await stream.completed();
  expect(await socket.subscribe({ query: '{ __typename }' }).data()).toEqual({ __typename: 'Query' });

  const { body } = await graphql(graphqlUrl, '{ __typename task(id: "x") { id } }');
  expect(body).toMatchObject({ data: { __typename: 'Query', task: null }, errors: [{ extensions }] });
});

describe('a store that fails', () => {
  it('to read is answered with 503 and Retry-After, or 200 beside data, and works again by itself', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const task = await createTask(gateway);
    const database = openDatabase(gateway);
    database.exec('ALTER TABLE tasks RENAME TO away');
    // Another task: the gateway may remember the one above.
    const single = 'task(id: "kie-2") { id }';
    const extensions = { code: 'SERVICE_UNAVAILABLE', hint: 'Try again in 5 s.', retryAfter: 5 };
    for (const query of [single, 'tasks(first: 1) { revision }', `${single} again: ${single}`]) {
      const { body, headers, status } = await graphql(gateway.graphqlUrl, `{ ${query} }`);
      expect([query, status, headers.get('retry-after')]).toEqual([query, 503, '5']);
      expect(body.errors?.[0]?.extensions).toEqual(extensions);
      expect(JSON.stringify(body)).not.toMatch(INSIDE);
    }
    const some = await graphql(gateway.graphqlUrl, `{ __typename ${single} }`);
    expect([some.status, some.headers.get('retry-after')]).toEqual([200, null]);
    expect(some.body).toMatchObject({
      data: { __typename: 'Query', task: null },
      errors: [{ path: ['task'] }],
    });
    database.exec('ALTER TABLE away RENAME TO tasks');
    expect(await findTask(gateway, task.id)).toEqual(task);
  });

  it('to write is answered as something to try again: nothing is sent, and the key is still free', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const database = openDatabase(gateway);
    database.exec('BEGIN IMMEDIATE');
    const error = await errorOf(gateway, CREATE, { input: input({ idempotencyKey: 'one' }) });
    expect(error).toMatchObject({
      path: ['createImageToVideo'],
      extensions: { code: 'SERVICE_UNAVAILABLE' },
    });
    expect(JSON.stringify(error)).not.toMatch(INSIDE);
    expect(provider.requests()).toEqual([]);
    database.exec('ROLLBACK');
    provider.answer('createTask', created('kie-1'));
    expect(await createTask(gateway, { idempotencyKey: 'one' })).toMatchObject({ state: 'WAITING' });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

async function get(url: string, init: RequestInit = {}) {
  const { headers, status, ...response } = await fetch(url, init).then(async (answer) => ({
    headers: answer.headers,
    status: answer.status,
    body: (await answer.json()) as unknown,
  }));
  const type = headers.get('content-type')?.split(';')[0];
  return { status, type, retryAfter: headers.get('retry-after'), ...response };
}

function problem(status: number, title: string) {
  const text = expect.stringMatching(/./) as string;
  const body = { type: 'about:blank', title, status, detail: text, hint: text };
  return { status, type: 'application/problem+json', body };
}

describe('/health and /ready', () => {
  it('answer 200 whether or not the provider can be reached', async () => {
    const provider = await startFakeProvider();
    const { url } = await startGateway({ provider });
    for (const path of ['/health', '/ready'])
      expect(await get(url + path)).toMatchObject({ status: 200, body: { status: 'ok' } });
    await provider.close();
    expect((await get(`${url}/ready`)).status).toBe(200);
  });

  it('differ while the store cannot be reached: alive, but not to be sent anything', async () => {
    let isAway = true;
    const { url } = await start((ports) => {
      const ping = () => (isAway ? Promise.reject(new StoreUnavailableError('hush')) : ports.store.ping());
      return { ...ports, store: { ...ports.store, ping } };
    });
    expect((await get(`${url}/health`)).status).toBe(200);
    const answer = await get(`${url}/ready`);
    expect(answer).toMatchObject(problem(503, 'Service Unavailable'));
    expect(answer.retryAfter).toMatch(/^\d+$/);
    expect(JSON.stringify(answer.body)).not.toContain('hush');
    isAway = false;
    expect((await get(`${url}/ready`)).status).toBe(200);
  });

  it('differ while the store can be read and not written, and agree again by themselves', async () => {
    const gateway = await start();
    const database = openDatabase(gateway);
    const ready = () => get(`${gateway.url}/ready`);
    database.exec('BEGIN IMMEDIATE');
    let answer = await ready();
    // A commit of a moment ago still proves that the store can write.
    while (answer.status === 200) answer = await ready();
    expect(answer).toMatchObject(problem(503, 'Service Unavailable'));
    expect((await get(`${gateway.url}/health`)).status).toBe(200);
    database.exec('ROLLBACK');
    while ((await ready()).status !== 200) await setImmediate();
  });
});

it('an unknown path is answered with 404 and the address of the API; an unreadable one with 400', async () => {
  const { url } = await start();
  for (const [method, path] of [
    ['GET', '/nowhere'],
    ['POST', '/nowhere'],
    ['GET', '/graphql/nowhere'],
    ['GET', '/webhooks'],
  ] as const) {
    const answer = await get(url + path, { method });
    expect(answer, path).toMatchObject(problem(404, 'Not Found'));
    expect(JSON.stringify(answer.body)).toContain('/graphql');
  }
  expect(await get(`${url}/%ff`)).toMatchObject(problem(400, 'Bad Request'));
});
