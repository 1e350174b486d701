import { expect, test } from 'vitest';
import { staysPending } from '../kit/waits.ts';
import type { Document } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { startTinyApi } from './tiny-api.ts';

const WORD: Document<{ readonly word: string }> = 'subscription { word }';

test('the acknowledgement is awaited, and the parameters are sent with the greeting', async () => {
  const api = await startTinyApi();

  const client = await openGraphqlWs(api.url, { connectionParams: { token: 'secret' } });

  expect(api.connectionParams).toEqual([{ token: 'secret' }]);
  expect(client.messages.map(({ type }) => type)).toEqual(['connection_ack']);
});

test('a greeting that the server refuses rejects with the close code', async () => {
  const api = await startTinyApi({ token: 'secret' });
  await expect(openGraphqlWs(api.url, { connectionParams: { token: 'wrong' } })).rejects.toMatchObject({
    name: 'GraphqlWsClosedError',
    code: 4403,
    reason: 'Forbidden',
  });
});

test('an upgrade that the server refuses rejects with the status', async () => {
  const api = await startTinyApi();
  await expect(openGraphqlWs(`${api.url}/nowhere`)).rejects.toThrow('Unexpected server response: 400');
});

test('origin and headers are those of the test', async () => {
  const api = await startTinyApi();
  const seen = new Promise((resolve) => {
    api.sockets.once('connection', (_socket, { headers }) => {
      resolve(headers);
    });
  });

  await openGraphqlWs(api.url, {
    origin: 'https://foreign.example',
    headers: { 'x-forwarded-for': '1.2.3.4' },
  });

  expect(await seen).toMatchObject({ origin: 'https://foreign.example', 'x-forwarded-for': '1.2.3.4' });
});

test('results are kept until somebody asks for them, and completion is told apart', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);
  api.push('one');
  api.push('two');
  const subscription = client.subscribe({ query: WORD });
  const completed = subscription.completed();
  api.complete();

  await completed;
  expect(await subscription.next()).toEqual({ data: { word: 'one' } });
  expect((await subscription.data()).word).toBe('two');
  await expect(subscription.next()).rejects.toThrow('operation 1 was completed by the server');
});

test('a query over the socket gives one result and completes', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);
  const query = 'query ($word: String!) { echo(word: $word) }';

  const operation = client.subscribe({ query, variables: { word: 'hello' } });

  expect(await operation.data()).toEqual({ echo: 'hello' });
  await operation.completed();
});

test('a subscription can be read with a loop, and leaving the loop stops it', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);
  for (const word of ['one', 'two', 'three']) api.push(word);

  const words = [];
  for await (const { data } of client.subscribe({ query: WORD })) {
    words.push(data?.word);
    if (words.length === 2) break;
  }

  expect(words).toEqual(['one', 'two']);
  await api.left;
});

test('a loop ends when the server completes', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);
  api.push('one');
  api.complete();

  const words = [];
  for await (const { data } of client.subscribe({ query: WORD })) words.push(data?.word);

  expect(words).toEqual(['one']);
});

test('an operation that the server refuses gives its errors', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);

  const subscription = client.subscribe({ query: 'subscription { nothing }' });

  expect(await subscription.errors()).toMatchObject([
    { message: expect.stringContaining('nothing') as unknown },
  ]);
  await expect(subscription.next()).rejects.toThrow('operation 1 was refused');
  await expect(subscription.completed()).rejects.toThrow('operation 1 was refused');
});

test('a stopped subscription ends on both sides', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);
  const subscription = client.subscribe({ query: WORD });
  api.push('one');
  await subscription.next();

  subscription.stop();

  await api.left;
  await expect(subscription.next()).rejects.toThrow('operation 1 was stopped by the test');
});

test('an operation ends with its socket, and so does every wait', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);
  const subscription = client.subscribe({ query: WORD });
  const message = client.message(({ type }) => type === 'never');

  for (const socket of api.sockets.clients) socket.close(1013, 'Try again later');

  await expect(subscription.completed()).rejects.toThrow('closed with 1013 "Try again later"');
  await expect(subscription.next()).rejects.toThrow('closed with 1013');
  await expect(message).rejects.toMatchObject({ code: 1013 });
  expect(await client.closed).toEqual({ code: 1013, reason: 'Try again later' });
});

test('a client may close politely', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);
  expect(await client.close(4000, 'enough')).toEqual({ code: 4000, reason: 'enough' });
});

test('a client may cut the connection, also while it reads nothing', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);
  const subscription = client.subscribe({ query: WORD });
  api.push('one');
  await subscription.next();

  client.pause();
  client.terminate();

  expect(await client.closed).toEqual({ code: 1006, reason: '' });
  await api.left;
});

test('a client may say nothing, or nonsense', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url, { init: false });

  client.send('nonsense');

  expect(await client.closed).toMatchObject({ code: 4400 });
  expect(api.connectionParams).toEqual([]);
});

test('messages are there from the opening on, each taken once', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url, { init: false });

  client.send({ type: 'connection_init' });
  client.send({ type: 'ping', payload: { n: 1 } });

  expect(await client.message(({ type }) => type === 'pong')).toEqual({ type: 'pong', payload: { n: 1 } });
  expect(await client.message()).toMatchObject({ type: 'connection_ack' });
  await staysPending(client.message());
});

test('a client that pauses takes nothing until it resumes', async () => {
  const api = await startTinyApi();
  const client = await openGraphqlWs(api.url);
  const moreThanBuffersHold = 'x'.repeat(2 ** 25);
  client.pause();

  const sent = new Promise((resolve) => {
    for (const socket of api.sockets.clients) {
      socket.send(JSON.stringify({ type: 'ping', payload: { moreThanBuffersHold } }), resolve);
    }
  });
  await staysPending(sent, 100);
  client.resume();

  await sent;
  await client.message(({ type }) => type === 'ping');
});

test('pings of the server are answered unless the test forbids it', async () => {
  const api = await startTinyApi();
  const polite = await openGraphqlWs(api.url);
  const [politeSocket] = api.sockets.clients;
  const rude = await openGraphqlWs(api.url, { answerPings: false });
  const rudeSocket = [...api.sockets.clients].at(-1);
  const pong = (socket: typeof politeSocket): Promise<unknown> =>
    new Promise((resolve) => {
      socket?.once('pong', resolve);
      socket?.ping();
    });

  await pong(politeSocket);
  await staysPending(pong(rudeSocket));

  expect(polite.messages).toHaveLength(1);
  expect(rude.messages).toHaveLength(1);
});
