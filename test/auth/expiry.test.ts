import { createClient } from 'graphql-ws';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { CREATE, input, TASK_UPDATED, TASKS_UPDATED, type ApiTask } from '../kit/documents.ts';
import { startGateway } from '../kit/gateway.ts';
import { dataOf, graphql } from '../kit/graphql.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { openSse } from '../kit/sse.ts';
import { deferred, onTestEnd, staysPending } from '../kit/waits.ts';
import { eventually } from '../websocket/eventually.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { claims, inSeconds, SECRET, signWith } from './tokens.ts';

const ENV = { JWT_SECRET: SECRET };
const EXPIRED = { code: 4403, reason: 'The token has expired' };
/** By how much a timer may be early against the clock on the wall, in ms. */
const EARLY = 50;
const WATCH = { query: TASKS_UPDATED, variables: { after: 0 } };

async function bearerUntil(exp: number): Promise<{ readonly authorization: string }> {
  return { authorization: `Bearer ${await signWith(SECRET, claims({ exp }))}` };
}

async function openSocketUntil(url: string, exp: number): Promise<GraphqlWsClient> {
  return openGraphqlWs(url, { connectionParams: await bearerUntil(exp) });
}

describe('when a token expires', () => {
  it('its sockets are closed, its event streams end without a complete event, and no others', async () => {
    const { gateway, store } = await startHeldGateway({ env: ENV });
    const { graphqlUrl } = gateway;
    await addTask(store, { owner: 'ada' });
    const exp = inSeconds(2);
    const [idle, busy] = [await openSocketUntil(graphqlUrl, exp), await openSocketUntil(graphqlUrl, exp)];
    const watch = busy.subscribe(WATCH);
    const stream = await openSse(graphqlUrl, WATCH, { headers: await bearerUntil(exp) });
    const other = await openSocketUntil(graphqlUrl, inSeconds(3600));
    // Longer than any timer.
    const century = inSeconds(100 * 365 * 86_400);
    const otherStream = await openSse(graphqlUrl, WATCH, { headers: await bearerUntil(century) });
    for (const reader of [watch, stream, otherStream]) await reader.data();

    expect(await busy.closed).toEqual(EXPIRED);
    await expect(stream.completed()).rejects.toThrow('ended with its connection');
    expect(Date.now()).toBeGreaterThan(exp * 1000 - EARLY);
    expect(await idle.closed).toEqual(EXPIRED);
    await expect(watch.completed()).rejects.toThrow('4403');
    await eventually('only the others are left', () => gateway.app.stats().listeners === 1);
    await eventually('only the other socket is left', () => gateway.app.stats().sockets === 1);
    expect(await other.subscribe({ query: '{ __typename }' }).data()).toEqual({ __typename: 'Query' });
    const { id } = await addTask(store, { owner: 'ada' });
    expect(await otherStream.data()).toMatchObject({ tasksUpdated: { id } });
    const lasting = await openSocketUntil(graphqlUrl, century);
    expect(await lasting.subscribe({ query: '{ __typename }' }).data()).toEqual({ __typename: 'Query' });
  });

  it('its pending mutations are still executed and answered, once', async () => {
    const provider = await startFakeProvider();
    const { graphqlUrl } = await startGateway({ provider, env: ENV });
    const answer = deferred();
    const ids = ['kie-1', 'kie-2', 'kie-3'];
    provider.answer('createTask', ...ids.map((id) => ({ ...created(id), gate: answer.promise })));
    const exp = inSeconds(2);
    const headers = { ...(await bearerUntil(exp)), 'content-type': 'application/json' };
    const variables = { input: input({ idempotencyKey: 'one' }) };
    const socket = await openSocketUntil(graphqlUrl, exp);
    socket.subscribe({ query: CREATE, variables });
    // At once, and as a stream of one event.
    const responses = ['application/json', 'text/event-stream'].map((accept) =>
      fetch(graphqlUrl, {
        method: 'POST',
        headers: { ...headers, accept },
        body: JSON.stringify({ query: CREATE, variables: { input: input({ prompt: accept }) } }),
      }),
    );
    for (let count = 0; count < 3; count += 1) await provider.received('createTask');
    expect(await socket.closed).toEqual(EXPIRED);
    answer.resolve();
    for (const response of responses)
      expect(await (await response).text()).toMatch(/"providerTaskId":"kie-\d"/);
    // What the socket asked for is found with a new token and the same key.
    const { body } = await graphql(graphqlUrl, CREATE, variables, await bearerUntil(inSeconds(3600)));
    expect(dataOf(body).createImageToVideo).toMatchObject({
      task: { providerTaskId: expect.stringMatching(/^kie-\d$/) as string },
    });
    expect(provider.requests('createTask')).toHaveLength(3);
  });

  it('its sockets start no new operation, even if the client ignores the close frame', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: ENV });
    const connectionParams = await bearerUntil(inSeconds(1));
    const deaf = await openGraphqlWs(gateway.graphqlUrl, { connectionParams });
    const other = await openGraphqlWs(gateway.graphqlUrl, { connectionParams });
    deaf.pause();
    expect((await other.closed).code).toBe(4403);
    deaf.subscribe({ query: CREATE, variables: { input: input() } });
    await staysPending(provider.received('createTask'), 200);
  });
});

it('a token that expired within the clock tolerance is answered, and its socket and stream end at once', async () => {
  const { gateway, held, store } = await startHeldGateway({ env: ENV });
  const { id } = await addTask(store, { owner: 'ada' });
  const headers = await bearerUntil(inSeconds(-2));
  const { body } = await graphql(gateway.graphqlUrl, '{ __typename }', {}, headers);
  expect(body).toEqual({ data: { __typename: 'Query' } });
  const hold = held.holdRead('find');
  const operation = { query: TASK_UPDATED, variables: { id } };
  const reading = openSse(gateway.graphqlUrl, operation, { headers }).then((stream) => stream.completed());
  await hold.reached;
  // What came later has been told by now.
  const socket = await openGraphqlWs(gateway.graphqlUrl, { init: false });
  socket.send({ type: 'connection_init', payload: headers });
  expect(await socket.closed).toEqual(EXPIRED);
  hold.release();
  // Whether its head came through before it was cut, or not.
  await expect(reading).rejects.toThrow(/ended with its connection|fetch failed/);
  await eventually('nobody listens', () => gateway.app.stats().listeners === 0);
});

it('with a new token a graphql-ws client reconnects by itself, resumes its subscriptions, and misses nothing', async () => {
  const EXPIRIES = 2;
  const { gateway, store } = await startHeldGateway({ env: ENV });
  const added: Promise<{ readonly id: string }>[] = [];
  const add = () => added.push(addTask(store, { owner: 'ada' }));
  const seen: ApiTask[] = [];
  const codes: unknown[] = [];
  const enough = deferred('the client saw the last task');
  const client = createClient({
    url: gateway.graphqlUrl.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: () => bearerUntil(inSeconds(1.2)),
    shouldRetry: () => true,
    retryAttempts: 100,
    retryWait: () => Promise.resolve(),
  });
  onTestEnd(() => client.dispose());
  const stopAdding = client.on('connected', add);
  const stopFillingGaps = client.on('closed', (event) => {
    codes.push((event as { readonly code: number }).code);
    // Nobody listens now.
    add();
  });
  // Read anew at each subscribe: the client sends what its cursor says by then.
  const variables = { after: 0 };
  client.subscribe<{ tasksUpdated: ApiTask }>(
    { query: TASKS_UPDATED, variables },
    {
      next: ({ data }) => {
        if (!data) return;
        seen.push(data.tasksUpdated);
        variables.after = data.tasksUpdated.revision;
        if (codes.length >= EXPIRIES && seen.length > 2 * EXPIRIES) enough.resolve();
      },
      error: (error) => {
        enough.reject(new Error('the client gave up', { cause: error }));
      },
      complete: () => undefined,
    },
  );
  await enough.promise;
  stopAdding();
  stopFillingGaps();
  const ids = (await Promise.all(added)).map(({ id }) => id);
  expect(codes.slice(0, EXPIRIES)).toEqual([4403, 4403]);
  expect(seen.map(({ id }) => id)).toEqual(ids.slice(0, seen.length));
});
