import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { stopTheClock } from '../kit/clock.ts';
import { CREATE, TASKS_UPDATED, TASK_UPDATED, input } from '../kit/documents.ts';
import { startGateway } from '../kit/gateway.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';
import { onTestEnd } from '../kit/waits.ts';
import { eventually } from '../websocket/eventually.ts';
import { addTask, change } from '../websocket/stored-tasks.ts';
import { startAttacked } from './bystander.ts';
import { openRaw } from './raw-http.ts';

const QUERY = '{ __typename }';
const DATA = { __typename: 'Query' };
const KIB = 1024;

/** The message that begins an operation. */
function subscribe(id: string, query: string, variables: object = {}): object {
  return { type: 'subscribe', id, payload: { query, variables } };
}

/** The oldest message to an operation that was not taken yet. */
function firstTo(client: GraphqlWsClient, id: string) {
  return client.message((message) => message.id === id);
}

/** A raw socket whose client was let in. */
async function openAdmitted(url: string) {
  const raw = await openRaw(url);
  raw.socket.send('{"type":"connection_init"}');
  expect(await raw.messages.next()).toBe('{"type":"connection_ack"}');
  return raw;
}

function sendFragments(socket: WebSocket, count: number, text = 'x'): void {
  for (let sent = 0; sent < count; sent += 1) socket.send(text, { fin: false });
}

/** Sends a message in fragments of one character. */
function sendInParts(socket: WebSocket, text: string): void {
  for (const character of text) socket.send(character, { fin: false });
  socket.send('', { fin: true });
}

function initOf(bytes: number): string {
  const text = (filler: string): string => JSON.stringify({ type: 'connection_init', payload: { filler } });
  return text('x'.repeat(Math.max(0, bytes - text('').length)));
}

const LONG_ID = 'é'.repeat(128);

test('a socket whose client breaks the protocol is closed with a code, and nothing of our inside is told', async () => {
  const { gateway, withstands } = await startAttacked();
  const breaches: readonly (readonly [code: number, ...sends: (string | object)[]])[] = [
    [1009, 'x'.repeat(2_000_000)],
    [1009, Buffer.alloc(2_000_000)],
    [4400, Buffer.from([0xc3, 0x28])],
    [4400, '['.repeat(200 * KIB)],
    [4400, { type: ['subscribe'], id: '1' }],
    [4400, { type: '__proto__', id: '1' }],
    [4400, { type: 'connection_terminate' }],
    [4400, { type: 'next', id: '1', payload: {} }],
    [4400, { type: 'error', id: '1', payload: [{ message: 'x' }] }],
    [4400, subscribe('i'.repeat(129), QUERY)],
    [4429, { type: 'connection_init' }],
    [4409, subscribe('1', TASKS_UPDATED), subscribe('1', TASKS_UPDATED)],
    [4409, subscribe(LONG_ID, TASKS_UPDATED), subscribe(LONG_ID, TASKS_UPDATED)],
  ];
  const closeAfter = async (sends: readonly (string | object)[], init = true) => {
    const client = await openGraphqlWs(gateway.graphqlUrl, { init });
    for (const message of sends) client.send(message);
    return client.closed;
  };
  const closes = await withstands(() => Promise.all(breaches.map(([, ...sends]) => closeAfter(sends))));
  for (const [index, { code, reason }] of closes.entries()) {
    expect([index, code]).toEqual([index, breaches[index]?.[0]]);
    expect(reason).not.toMatch(/error:|\.ts\b|\//i);
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  }
  expect((await closeAfter([subscribe('1', QUERY)], false)).code).toBe(4401);
});

test('connection params with names of prototypes prove nothing', async () => {
  const { graphqlUrl } = await startGateway({ env: { API_KEYS: 'ada:key-of-ada' } });
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    const client = await openGraphqlWs(graphqlUrl, { init: false });
    const payload = `{"${name}":{"authorization":"Bearer key-of-ada"},"polluted":true}`;
    client.send(`{"type":"connection_init","payload":${payload}}`);
    expect(await client.closed).toMatchObject({ code: 4403 });
  }
});

test('what is more than a connection_init before it, and more than a handful of pings, cuts the socket at once', async () => {
  const { gateway, withstands } = await startAttacked();
  const sockets = () => gateway.app.stats().sockets;
  const before = sockets();
  const sends: readonly ((socket: WebSocket) => void)[] = [
    ...['x'.repeat(2_000_000), initOf(17 * KIB)].map((text) => (socket: WebSocket) => {
      socket.send(text);
    }),
    ...['x', ''].map((text) => (socket: WebSocket) => {
      sendFragments(socket, 15_000, text);
    }),
    (socket) => {
      for (let sent = 0; sent < 200; sent += 1) socket.ping(Buffer.alloc(125));
    },
  ];
  for (const send of sends) {
    const { closed, socket } = await openRaw(gateway.graphqlUrl);
    await withstands(async () => {
      // Its client does not answer a close.
      socket.pause();
      send(socket);
      await eventually('the server has dropped the socket', () => sockets() === before);
      socket.resume();
    });
    // The close frame leaves first, and may be lost where bytes that nobody reads follow.
    expect([1006, 1008, 1009]).toContain(await closed);
  }
  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  let pongs = 0;
  socket.on('message', () => (pongs += 1));
  for (let sent = 0; sent < 500; sent += 1) socket.send('{"type":"ping"}');
  await closed;
  expect(pongs).toBeLessThanOrEqual(8);
});

test('messages in many fragments are read, and cut when they are too large or too many', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const [count, text, code] of [
    [100, 'x'.repeat(5000), 1009],
    [257, '', 1008],
    [257, 'x', 1008],
  ] as const) {
    const { closed, socket } = await openAdmitted(gateway.graphqlUrl);
    sendFragments(socket, count, text);
    expect(await withstands(() => closed)).toBe(code);
  }
  const { messages, socket } = await openRaw(gateway.graphqlUrl);
  await withstands(async () => {
    sendInParts(socket, initOf(100));
    expect(await messages.next()).toBe('{"type":"connection_ack"}');
    const text = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(150) } });
    sendInParts(socket, text);
    expect(await messages.next()).toEqual(text.replace('ping', 'pong'));
    socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    expect(await messages.next()).toEqual('{"type":"pong"}');
  });
  const large = await openRaw(gateway.graphqlUrl);
  large.socket.send(initOf(15 * KIB));
  expect(await large.messages.next()).toBe('{"type":"connection_ack"}');
});

test('operations of one socket whose text and variables exceed one message are refused until others end', async () => {
  const { gateway, ports, withstands } = await startAttacked();
  const task = await addTask(ports.store);
  const client = await openGraphqlWs(gateway.graphqlUrl);
  const large = (id: string): object =>
    subscribe(id, `${TASK_UPDATED}#${'x'.repeat(100 * KIB)}`, { id: task.id, after: 0 });
  await withstands(async () => {
    for (const id of ['1', '2', '3']) client.send(large(id));
    for (const id of ['1', '2']) expect((await firstTo(client, id)).type).toBe('next');
    expect((await firstTo(client, '3')).payload).toMatchObject([
      { extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } },
    ]);
    client.send({ type: 'complete', id: '1' });
    client.send({ type: 'ping' });
    await client.message(({ type }) => type === 'pong');
    client.send(large('4'));
    expect((await firstTo(client, '4')).type).toBe('next');
  });
});

test('a flood of pings or pongs, of the protocol or of WebSocket, is closed with 4429, though each is answered', async () => {
  const { gateway, withstands } = await startAttacked({ env: { MAX_OPERATIONS_PER_SECOND: '5' } });
  for (const type of ['ping', 'pong']) {
    const { closed, socket } = await openAdmitted(gateway.graphqlUrl);
    for (let sent = 0; sent < 1000; sent += 1) socket.send(JSON.stringify({ type }));
    expect(await withstands(() => closed)).toBe(4429);
  }
  const ponging = await openRaw(gateway.graphqlUrl);
  for (let sent = 0; sent < 1000; sent += 1) ponging.socket.pong();
  expect(await withstands(() => ponging.closed)).toBe(4429);

  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  let pongs = 0;
  const pingMore = (): void => {
    for (let sent = 0; sent < 40; sent += 1) socket.ping();
  };
  socket.on('pong', () => {
    pongs += 1;
    if (pongs % 40 === 0) pingMore();
  });
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
    const { graphqlUrl } = await startGateway();
    const { inOneGo, messages, socket } = await openAdmitted(graphqlUrl);
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

const RATE_LIMITED = {
  message: 'Too many operations on this socket.',
  extensions: { code: 'RATE_LIMITED', hint: 'Try again in 1 s.', retryAfter: 1 },
};

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
  for (const refusal of refusals) expect(refusal).toEqual([RATE_LIMITED]);
  client.send({ type: 'ping' });
  await client.message(({ type }) => type === 'pong');
});

test.each([
  { limit: 100, env: {} },
  { limit: 2, env: { MAX_SUBSCRIPTIONS_PER_SOCKET: '2' } },
])(
  'of a thousand subscriptions on one socket $limit are taken and work, and further operations are refused until one is completed',
  async ({ env, limit }) => {
    const { gateway, ports, withstands } = await startAttacked({
      env: { MAX_OPERATIONS_PER_SECOND: '5000', ...env },
    });
    const task = await addTask(ports.store);
    const client = await openGraphqlWs(gateway.graphqlUrl);
    const ids = Array.from({ length: 1000 }, (_, index) => `s${index}`);
    const answers = await withstands(() => {
      for (const id of ids) client.send(subscribe(id, TASK_UPDATED, { id: task.id }));
      return Promise.all(ids.map((id) => firstTo(client, id)));
    });
    const refused = answers.filter(({ type }) => type === 'error');
    expect(refused).toHaveLength(1000 - limit);
    for (const { payload } of [...refused, { payload: await client.subscribe({ query: QUERY }).errors() }])
      expect(payload).toEqual([
        {
          message: `More than ${limit} operations at a time on this socket.`,
          extensions: {
            code: 'TOO_MANY_SUBSCRIPTIONS',
            hint: 'Complete some first, follow all tasks with one tasksUpdated, or open another socket.',
          },
        },
      ]);
    const { revision } = await change(ports.store, task);
    const [taken, ...others] = answers.filter(({ type }) => type === 'next').map(({ id = '' }) => id);
    for (const id of [taken ?? '', ...others])
      expect((await firstTo(client, id)).payload).toMatchObject({ data: { taskUpdated: { revision } } });
    const other = await openGraphqlWs(gateway.graphqlUrl);
    expect(await other.subscribe({ query: QUERY }).data()).toEqual(DATA);
    client.send({ type: 'complete', id: taken });
    expect(await client.subscribe({ query: QUERY }).data()).toEqual(DATA);
  },
);

test.each([
  { limit: 50, env: {} },
  { limit: 2, env: { MAX_OPERATIONS_PER_SECOND: '2' } },
])(
  'each socket may begin $limit operations in a second, also when the clock is set back',
  async ({ env, limit }) => {
    const pass = stopTheClock();
    const { graphqlUrl } = await startGateway({ env });
    const client = await openGraphqlWs(graphqlUrl);
    for (const turnBackMs of [0, 3_600_000]) {
      for (let sent = 0; sent < limit; sent += 1)
        expect(await client.subscribe({ query: QUERY }).data()).toEqual(DATA);
      if (turnBackMs > 0) vi.setSystemTime(Date.now() - turnBackMs);
      expect(await client.subscribe({ query: QUERY }).errors()).toEqual([RATE_LIMITED]);
      pass(999);
      expect(await client.subscribe({ query: QUERY }).errors()).toEqual([RATE_LIMITED]);
      const other = await openGraphqlWs(graphqlUrl);
      expect(await other.subscribe({ query: QUERY }).data()).toEqual(DATA);
      pass(1);
    }
    expect(await client.subscribe({ query: QUERY }).data()).toEqual(DATA);
  },
);

test('a socket is closed with 4429 at the twentieth message for each allowed operation and one more, and no other is', async () => {
  stopTheClock();
  const { graphqlUrl } = await startGateway({ env: { MAX_OPERATIONS_PER_SECOND: '2' } });
  const other = await openGraphqlWs(graphqlUrl);
  const client = await openGraphqlWs(graphqlUrl);
  // connection_init was the first.
  for (let sent = 2; sent <= 40; sent += 1) {
    client.send({ type: 'ping' });
    await client.message(({ type }) => type === 'pong');
  }
  client.send({ type: 'ping' });
  expect(await client.closed).toEqual({ code: 4429, reason: 'Too many messages' });
  expect(await other.subscribe({ query: QUERY }).data()).toEqual(DATA);
});

test('an unusual subprotocol brings no header of its own and opens nothing', async () => {
  const { gateway, withstands } = await startAttacked();
  const protocols = [
    'graphql-transport-ws\u00e9',
    'graphql-transport-ws; x=1',
    'graphql-transport-ws x',
    '__proto__',
    `${'p,'.repeat(2000)}p`,
  ];
  for (const protocol of protocols) {
    const headers: string[] = [];
    const socket = new WebSocket(gateway.graphqlUrl.replace(/^http/, 'ws'), {
      headers: { 'sec-websocket-protocol': Buffer.from(protocol).toString('latin1') },
    });
    onTestEnd(() => {
      socket.terminate();
    });
    socket.on('upgrade', (response) =>
      headers.push(...[response.headers['sec-websocket-protocol'] ?? []].flat()),
    );
    const end = await withstands(
      () =>
        new Promise<string>((resolve) => {
          socket.on('error', ({ message }) => {
            resolve(message);
          });
          socket.on('close', (code) => {
            resolve(String(code));
          });
        }),
    );
    expect([protocol, end]).toEqual([
      protocol,
      expect.stringMatching(/^(?:4406|Unexpected server response: 400)$/),
    ]);
    expect(headers).toEqual([]);
  }
});
