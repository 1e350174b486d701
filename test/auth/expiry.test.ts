import { describe, expect, it } from 'vitest';
import { deferred } from '../kit/waits.ts';
import { CREATE, TASKS_UPDATED, TASK_UPDATED, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';
import { openSse } from '../kit/sse.ts';
import { eventually } from '../websocket/eventually.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { SECRET, claims, inSeconds, signWith } from './tokens.ts';

const ENV = { JWT_SECRET: SECRET };
const EXPIRED = { code: 4403, reason: 'The token has expired' };
/** By how much a timer may be early against the clock on the wall, in ms. */
const EARLY = 50;

async function bearerUntil(exp: number): Promise<{ readonly authorization: string }> {
  return { authorization: `Bearer ${await signWith(SECRET, claims({ exp }))}` };
}

async function openSocketUntil(url: string, exp: number): Promise<GraphqlWsClient> {
  return openGraphqlWs(url, { connectionParams: await bearerUntil(exp) });
}

describe('when a token expires', () => {
  it('its sockets are closed with 4403, including idle ones, and no others', async () => {
    const { gateway, store } = await startHeldGateway({ env: ENV });
    await addTask(store, { owner: 'ada' });
    const exp = inSeconds(2);
    const idle = await openSocketUntil(gateway.graphqlUrl, exp);
    const busy = await openSocketUntil(gateway.graphqlUrl, exp);
    const other = await openSocketUntil(gateway.graphqlUrl, inSeconds(3600));
    const watch = busy.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    await watch.data();

    expect(await busy.closed).toEqual(EXPIRED);
    expect(Date.now()).toBeGreaterThan(exp * 1000 - EARLY);
    expect(await idle.closed).toEqual(EXPIRED);
    await expect(watch.completed()).rejects.toThrow('4403');
    expect(await other.subscribe({ query: '{ __typename }' }).data()).toEqual({ __typename: 'Query' });
    await eventually('only the other socket is left', () => gateway.app.stats().sockets === 1);
    expect(gateway.app.stats().listeners).toBe(0);
  });

  it('its event streams end without a complete event, and no others', async () => {
    const { gateway, store } = await startHeldGateway({ env: ENV });
    await addTask(store, { owner: 'ada' });
    const operation = { query: TASKS_UPDATED, variables: { after: 0 } };
    const exp = inSeconds(2);
    const other = await openSse(gateway.graphqlUrl, operation, {
      headers: await bearerUntil(inSeconds(3600)),
    });
    const stream = await openSse(gateway.graphqlUrl, operation, { headers: await bearerUntil(exp) });
    await stream.data();
    await other.data();

    await expect(stream.completed()).rejects.toThrow('ended with its connection');
    expect(Date.now()).toBeGreaterThan(exp * 1000 - EARLY);
    await eventually('only the other stream is left', () => gateway.app.stats().listeners === 1);
    const { id } = await addTask(store, { owner: 'ada' });
    expect(await other.data()).toMatchObject({ tasksUpdated: { id } });
  });

  it.each([
    ['at once', 'application/json'],
    ['as a stream of one event', 'text/event-stream'],
  ])('a pending mutation is still answered, %s', async (_, accept) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: ENV });
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const exp = inSeconds(2);
    const watchful = await openSocketUntil(gateway.graphqlUrl, exp);
    const response = fetch(gateway.graphqlUrl, {
      method: 'POST',
      headers: { ...(await bearerUntil(exp)), accept, 'content-type': 'application/json' },
      body: JSON.stringify({ query: CREATE, variables: { input: input() } }),
    });
    await provider.received('createTask');
    expect(await watchful.closed).toEqual(EXPIRED);
    answer.resolve();
    expect(await (await response).text()).toContain('"providerTaskId":"kie-1"');
  });

  it('a mutation over a closed socket is still executed, and found with a new token and the same key', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: ENV });
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const variables = { input: input({ idempotencyKey: 'one' }) };
    const socket = await openSocketUntil(gateway.graphqlUrl, inSeconds(2));
    socket.subscribe({ query: CREATE, variables });
    await provider.received('createTask');
    expect(await socket.closed).toEqual(EXPIRED);
    answer.resolve();
    const { body } = await graphql(gateway.graphqlUrl, CREATE, variables, await bearerUntil(inSeconds(3600)));
    expect(dataOf(body).createImageToVideo).toMatchObject({ task: { providerTaskId: 'kie-1' } });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

describe('a token that expired within the clock tolerance', () => {
  it('opens a socket that is closed at once', async () => {
    const { gateway } = await startHeldGateway({ env: ENV });
    const socket = await openGraphqlWs(gateway.graphqlUrl, { init: false });
    socket.send({ type: 'connection_init', payload: await bearerUntil(inSeconds(-2)) });
    expect(await socket.closed).toEqual(EXPIRED);
  });

  it('starts an event stream that ends at once', async () => {
    const { gateway, held, store } = await startHeldGateway({ env: ENV });
    const { id } = await addTask(store, { owner: 'ada' });
    const exp = inSeconds(-2);
    const hold = held.holdRead('find');
    const operation = { query: TASK_UPDATED, variables: { id } };
    const headers = await bearerUntil(exp);
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

  it('still gets an answer to a query', async () => {
    const { gateway } = await startHeldGateway({ env: ENV });
    const { body } = await graphql(
      gateway.graphqlUrl,
      '{ __typename }',
      {},
      await bearerUntil(inSeconds(-2)),
    );
    expect(body).toEqual({ data: { __typename: 'Query' } });
  });
});

describe('a token that lasts longer than any timer', () => {
  it('keeps its socket and stream open', async () => {
    const { gateway, store } = await startHeldGateway({ env: ENV });
    await addTask(store, { owner: 'ada' });
    const century = inSeconds(100 * 365 * 86_400);
    const operation = { query: TASKS_UPDATED, variables: { after: 0 } };
    const socket = await openSocketUntil(gateway.graphqlUrl, century);
    const stream = await openSse(gateway.graphqlUrl, operation, { headers: await bearerUntil(century) });
    await stream.data();
    const { id } = await addTask(store, { owner: 'ada' });
    expect(await stream.data()).toMatchObject({ tasksUpdated: { id } });
    expect(await socket.subscribe({ query: '{ __typename }' }).data()).toEqual({ __typename: 'Query' });
  });
});
