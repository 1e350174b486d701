import { request } from 'node:http';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { CREATE, TASK, TASKS_UPDATED, TASK_UPDATED, input } from '../kit/documents.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { onTestEnd } from '../kit/waits.ts';
import { eventually } from './eventually.ts';
import { startHeldGateway } from './held-gateway.ts';
import { addTask, change } from './stored-tasks.ts';

const QUERY = '{ __typename }';
const SUBSCRIBE = { type: 'subscribe', id: '1', payload: { query: TASKS_UPDATED } };
const INIT = { type: 'connection_init' };
const LIMIT = 256 * 1024;

/** The types of the messages to one operation. */
function messagesTo({ messages }: GraphqlWsClient, id: string): readonly string[] {
  return messages.filter((message) => message.id === id).map(({ type }) => type);
}

test('an operation that is wrong is answered by itself, and the others of its socket go on', async () => {
  const { gateway, store } = await startHeldGateway();
  let task = await addTask(store);
  const client = await openGraphqlWs(gateway.graphqlUrl);
  const watch = client.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } }, 'watch');
  await watch.next();
  for (const [payload, says] of [
    [{ query: 'subscription { taskUpdated(' }, 'Syntax Error'],
    [{ query: '' }, 'Syntax Error'],
    [{ query: '{ noSuchField }' }, 'noSuchField'],
    [{ query: '{ task(id: "a", size: 1) { id } }' }, 'size'],
    [{ query: 'query A { __typename }', operationName: 'B' }, 'operation'],
    [{ query: 'query A { __typename } query B { __typename }' }, 'operation'],
    [{ query: 'fragment F on Task { id }' }, 'F'],
  ] as const) {
    const wrong = client.subscribe(payload);
    expect(JSON.stringify(await wrong.errors())).toContain(says);
    expect(messagesTo(client, wrong.id)).toEqual(['error']);
    // The id is free again.
    await client.subscribe({ query: QUERY }, wrong.id).data();
  }
  const variable = { message: expect.stringContaining('Variable') as string };
  const operations: readonly (readonly [string, Readonly<Record<string, unknown>>, object])[] = [
    [TASK_UPDATED, {}, variable],
    [TASK_UPDATED, { id: null }, variable],
    [TASKS_UPDATED, { after: 'soon' }, variable],
    [TASK, {}, variable],
    [CREATE, {}, variable],
    [TASK_UPDATED, { id: 'no-such-task' }, { extensions: { code: 'NOT_FOUND' } }],
  ];
  for (const [query, variables, error] of operations) {
    const wrong = client.subscribe({ query, variables });
    expect((await wrong.next()).errors).toMatchObject([error]);
    await wrong.completed();
    expect(messagesTo(client, wrong.id)).toEqual(['next', 'complete']);
  }
  client.send({ type: 'complete', id: 'never begun' });
  task = await change(store, task, { state: 'QUEUING' });
  expect((await watch.data()).tasksUpdated.revision).toBe(task.revision);
  expect(gateway.app.stats().listeners).toBe(1);
});

test('queries and mutations are answered once and completed, and a named operation of several is executed', async () => {
  const provider = await startFakeProvider();
  provider.answer('createTask', created('kie-1'));
  const client = await openGraphqlWs((await startHeldGateway({ provider })).gateway.graphqlUrl);
  const create = client.subscribe({ query: CREATE, variables: { input: input() } });
  const { createImageToVideo: result } = await create.data();
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  const query = client.subscribe({ query: TASK, variables: { id: result.task.id } });
  expect((await query.data()).task).toEqual(result.task);
  for (const operation of [create, query]) {
    await operation.completed();
    expect(messagesTo(client, operation.id)).toEqual(['next', 'complete']);
  }
  const named = { query: 'query A { a: __typename } query B { b: __typename }', operationName: 'B' };
  expect(await client.subscribe(named).data()).toEqual({ b: 'Query' });
});

test('a protocol ping is answered with its payload, before and after the acknowledgement, up to 256 KiB', async () => {
  const { gateway } = await startHeldGateway();
  const client = await openGraphqlWs(gateway.graphqlUrl, { init: false });
  const pongTo = async (message: object) => {
    client.send(message);
    return client.message(({ type }) => type === 'pong');
  };
  expect(await pongTo({ type: 'ping' })).toEqual({ type: 'pong' });
  client.send(INIT);
  expect(await client.message(({ type }) => type === 'connection_ack')).toEqual({ type: 'connection_ack' });
  // Unasked, and allowed.
  client.send({ type: 'pong' });
  const empty = JSON.stringify({ type: 'ping', payload: { text: '' } });
  const payload = { text: 'x'.repeat(LIMIT - empty.length) };
  expect(await pongTo({ type: 'ping', payload })).toEqual({ type: 'pong', payload });
});

test('a breach of the protocol closes its socket with the code of graphql-transport-ws, and nothing else', async () => {
  const { gateway } = await startHeldGateway();
  const other = await openGraphqlWs(gateway.graphqlUrl);
  const subscribe = { type: 'subscribe', id: '1' };
  for (const [code, init, ...messages] of [
    [4409, true, SUBSCRIBE, SUBSCRIBE],
    [4401, false, SUBSCRIBE],
    [4429, true, INIT],
    [4429, false, INIT, INIT],
    [4400, true, 'hello'],
    [4400, false, 'hello'],
    [4400, true, ''],
    [4400, true, '[]'],
    [4400, true, 'null'],
    [4400, true, {}],
    [4400, true, { type: 'start', id: '1' }],
    [4400, true, { type: 'subscribe', payload: { query: QUERY } }],
    [4400, true, subscribe],
    [4400, true, { ...subscribe, payload: {} }],
    [4400, true, { ...subscribe, payload: { query: QUERY, variables: 'a' } }],
    [4400, true, Buffer.from([0xff, 0x00, 0xfe, 0x7b])],
    [1009, true, 'x'.repeat(LIMIT + 1)],
    [1009, true, Buffer.alloc(LIMIT + 1)],
  ] as const) {
    const client = await openGraphqlWs(gateway.graphqlUrl, { init });
    for (const message of messages) client.send(message);
    expect((await client.closed).code, JSON.stringify(messages).slice(0, 100)).toBe(code);
  }
  const polite = await openGraphqlWs(gateway.graphqlUrl);
  polite.send(SUBSCRIBE);
  expect((await polite.close(1000, 'bye')).code).toBe(1000);
  await eventually('one socket is left', () => gateway.app.stats().sockets === 1);
  await eventually('no listener is left', () => gateway.app.stats().listeners === 0);
  await other.subscribe({ query: QUERY }).data();
});

test('a socket is closed with 4408 when no connection_init comes in time', async () => {
  const client = await openGraphqlWs((await startHeldGateway()).gateway.graphqlUrl, { init: false });
  client.send({ type: 'ping' });
  expect((await client.closed).code).toBe(4408);
});

test('a client that names no subprotocol is served, and one that names another gets 4406', async () => {
  const { gateway } = await startHeldGateway();
  for (const protocol of ['graphql-ws', 'soap', 'graphql-ws, soap'])
    expect(await openWithProtocol(gateway.graphqlUrl, protocol)).toBe(4406);
  expect(await openWithProtocol(gateway.graphqlUrl, null)).toEqual({ type: 'connection_ack' });
});

test('an upgrade at another path, from a foreign page or without a valid handshake is refused', async () => {
  const { gateway } = await startHeldGateway();
  for (const path of ['/', '/graphql/x', '/graphqlx', '/socket', '/sandbox/files', '//graphql'])
    await expect(openGraphqlWs(gateway.url + path), path).rejects.toThrow('404');
  const origin = 'https://evil.example';
  await expect(openGraphqlWs(gateway.graphqlUrl, { origin })).rejects.toThrow('403');
  const websocket = { upgrade: 'websocket', connection: 'upgrade' };
  for (const [status, headers] of [
    [400, { ...websocket, upgrade: 'h2c' }],
    [426, websocket],
    [400, { ...websocket, 'sec-websocket-version': '13', 'sec-websocket-key': 'x' }],
  ] as const)
    expect(await statusOf(gateway.graphqlUrl, headers)).toBe(status);
  expect(gateway.app.stats().sockets).toBe(0);
  await openGraphqlWs(`${gateway.graphqlUrl}?token=none`);
});

/** The first message to a client that accepts any subprotocol, or the code with which its socket is closed. */
function openWithProtocol(url: string, protocol: string | null): Promise<unknown> {
  const headers = protocol === null ? {} : { 'sec-websocket-protocol': protocol };
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
  onTestEnd(() => {
    socket.terminate();
  });
  return new Promise((resolve, reject) => {
    socket.on('error', reject).on('close', resolve);
    socket.on('open', () => {
      socket.send(JSON.stringify(INIT));
    });
    socket.once('message', (data: Buffer) => {
      resolve(JSON.parse(data.toString()));
    });
  });
}

function statusOf(url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers })
      .on('response', ({ statusCode }) => {
        resolve(statusCode);
      })
      .on('upgrade', () => {
        reject(new Error('It was upgraded'));
      })
      .on('error', reject)
      .end();
  });
}
