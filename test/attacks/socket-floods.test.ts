import { expect, test } from 'vitest';
import { addTask, change } from '../websocket/stored-tasks.ts';
import { CREATE, TASK_UPDATED, input } from '../kit/documents.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';
import { startAttacked } from './bystander.ts';
import { openRaw, subscribe } from './raw-socket.ts';

const QUERY = '{ __typename }';

test.each(['ping', 'pong'])('a flood of the protocol message %s is closed with 4429', async (type) => {
  const { gateway, withstands } = await startAttacked({ env: { MAX_OPERATIONS_PER_SECOND: '5' } });
  const { closed, messages, socket } = await openRaw(gateway.graphqlUrl);
  socket.send('{"type":"connection_init"}');
  await messages.next();
  for (let sent = 0; sent < 1000; sent += 1) socket.send(JSON.stringify({ type }));
  expect(await withstands(() => closed)).toBe(4429);
});

test('a flood of WebSocket pongs, which nobody asked for, is closed with 4429', async () => {
  const { gateway, withstands } = await startAttacked({ env: { MAX_OPERATIONS_PER_SECOND: '5' } });
  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  for (let sent = 0; sent < 1000; sent += 1) socket.pong();
  expect(await withstands(() => closed)).toBe(4429);
});

test('a flood of WebSocket pings is closed with 4429, though each is answered', async () => {
  const { gateway, withstands } = await startAttacked({ env: { MAX_OPERATIONS_PER_SECOND: '5' } });
  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  let pongs = 0;
  socket.on('pong', () => {
    pongs += 1;
    if (pongs % 40 === 0) pingMore();
  });
  const pingMore = (): void => {
    for (let sent = 0; sent < 40; sent += 1) socket.ping();
  };
  pingMore();
  expect(await withstands(() => closed)).toBe(4429);
  expect(pongs).toBeGreaterThanOrEqual(100);
});

test('WebSocket pings whose answers nobody reads have the socket closed or cut', async () => {
  const { gateway, withstands } = await startAttacked();
  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  for (let sent = 0; sent < 5000; sent += 1) socket.ping();
  expect([1006, 1009, 4429]).toContain(await withstands(() => closed));
});

test.each(['{"type":"ping"}', '{"type":"complete","id":"none"}'])(
  'everything else of the process has a turn between two messages of one segment: %s',
  async (message) => {
    const { gateway } = await startAttacked();
    const { inOneGo, messages, socket } = await openRaw(gateway.graphqlUrl);
    socket.send('{"type":"connection_init"}');
    await messages.next();
    let turns = 0;
    const count = (): void => {
      turns += 1;
      turn = setImmediate(count);
    };
    let turn = setImmediate(count);
    inOneGo(() => {
      for (let sent = 0; sent < 500; sent += 1) socket.send(message);
      socket.send('{"type":"ping","payload":{"last":true}}');
    });
    while (!(await messages.next()).includes('last'));
    clearImmediate(turn);
    expect(turns).toBeGreaterThanOrEqual(500);
  },
);

test('what a socket sends after it was closed does nothing, though its client does not let it go', async () => {
  const { gateway, provider, withstands } = await startAttacked({ env: { MAX_OPERATIONS_PER_SECOND: '5' } });
  provider.always('createTask', created('kie-1'));
  const client = await openGraphqlWs(gateway.graphqlUrl);
  const { code } = await withstands(() => {
    // Reads nothing, so it does not answer the close either.
    client.pause();
    for (let sent = 0; sent < 300; sent += 1) client.send({ type: 'ping' });
    client.send(subscribe('late', CREATE, { input: input({ prompt: 'late' }) }));
    client.resume();
    return client.closed;
  });
  expect(code).toBe(4429);
  const other = await openGraphqlWs(gateway.graphqlUrl);
  await other.subscribe({ query: CREATE, variables: { input: input({ prompt: 'later' }) } }).data();
  expect(provider.requests('createTask').map(({ rawBody }) => rawBody)).toEqual([
    expect.stringContaining('later'),
  ]);
});

test('a flood of operations is refused with RATE_LIMITED, and the socket lives on', async () => {
  const { gateway, withstands } = await startAttacked();
  const client = await openGraphqlWs(gateway.graphqlUrl);
  const answers = await withstands(() => {
    for (let sent = 0; sent < 500; sent += 1) client.send(subscribe(`f${sent}`, QUERY));
    return Promise.all(Array.from({ length: 500 }, (_, index) => firstTo(client, `f${index}`)));
  });
  const refusals = answers.filter(({ type }) => type === 'error').map(({ payload }) => payload);
  expect(refusals.length).toBeGreaterThan(0);
  expect(answers.length - refusals.length).toBeGreaterThanOrEqual(50);
  for (const refusal of refusals)
    expect(refusal).toEqual([
      {
        message: 'Too many operations on this socket.',
        extensions: { code: 'RATE_LIMITED', hint: 'Try again in 1 s.', retryAfter: 1 },
      },
    ]);
  client.send({ type: 'ping' });
  await client.message(({ type }) => type === 'pong');
});

test('of a thousand subscriptions on one socket a hundred are taken and work, and the others are refused', async () => {
  const { gateway, ports, withstands } = await startAttacked({ env: { MAX_OPERATIONS_PER_SECOND: '5000' } });
  const task = await addTask(ports.store);
  const client = await openGraphqlWs(gateway.graphqlUrl);
  const ids = Array.from({ length: 1000 }, (_, index) => `s${index}`);
  const answers = await withstands(() => {
    for (const id of ids) client.send(subscribe(id, TASK_UPDATED, { id: task.id }));
    return Promise.all(ids.map((id) => firstTo(client, id)));
  });
  const refused = answers.filter(({ type }) => type === 'error');
  expect(refused).toHaveLength(900);
  for (const { payload } of refused)
    expect(payload).toMatchObject([
      {
        extensions: {
          code: 'TOO_MANY_SUBSCRIPTIONS',
          hint: expect.stringContaining('Complete some') as string,
        },
      },
    ]);
  const { revision } = await change(ports.store, task);
  const taken = answers.filter(({ type }) => type === 'next');
  for (const { id = '' } of taken)
    expect((await firstTo(client, id)).payload).toMatchObject({ data: { taskUpdated: { revision } } });
});

/** The oldest message to an operation that was not taken yet. */
function firstTo(client: GraphqlWsClient, id: string) {
  return client.message((message) => message.id === id);
}
