import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { addTask, change } from '../live/stored-tasks.ts';
import { CREATE, TASKS_UPDATED, TASK_UPDATED, input } from '../support/documents.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../support/graphql-ws-client.ts';
import { created } from '../support/kie.ts';
import { onTestEnd } from '../support/leftovers.ts';
import { named } from '../support/waits.ts';
import { startAttacked } from './bystander.ts';

const QUERY = '{ __typename }';
const KIB = 1024;

/** What one client does to its socket, and the code with which that is closed. */
const BREACHES: readonly {
  readonly what: string;
  readonly code: number;
  readonly init?: boolean;
  readonly sends: readonly (string | object)[];
}[] = [
  { what: 'a message of 2 MB', code: 1009, sends: ['x'.repeat(2_000_000)] },
  { what: 'bytes of 2 MB', code: 1009, sends: [Buffer.alloc(2_000_000)] },
  { what: '2 MB before connection_init', code: 1009, init: false, sends: ['x'.repeat(2_000_000)] },
  { what: 'bytes that are no UTF-8', code: 4400, sends: [Buffer.from([0xc3, 0x28])] },
  { what: 'brackets without end', code: 4400, sends: ['['.repeat(200 * KIB)] },
  { what: 'a type that is a list', code: 4400, sends: [{ type: ['subscribe'], id: '1' }] },
  { what: 'the type __proto__', code: 4400, sends: [{ type: '__proto__', id: '1' }] },
  { what: 'the type of another protocol', code: 4400, sends: [{ type: 'connection_terminate' }] },
  { what: "a server's message", code: 4400, sends: [{ type: 'next', id: '1', payload: {} }] },
  { what: 'an operation before connection_init', code: 4401, init: false, sends: [subscribe('1', QUERY)] },
  { what: 'a second connection_init', code: 4429, sends: [{ type: 'connection_init' }] },
  { what: 'an id in use', code: 4409, sends: [subscribe('1', TASKS_UPDATED), subscribe('1', TASKS_UPDATED)] },
];

function subscribe(id: string, query: string, variables: object = {}): object {
  return { type: 'subscribe', id, payload: { query, variables } };
}

test.each(BREACHES)('a socket is closed with $code for $what', async ({ code, init = true, sends }) => {
  const { gateway, withstands } = await startAttacked();
  const close = await withstands(async () => {
    const client = await openGraphqlWs(gateway.graphqlUrl, { init });
    for (const message of sends) client.send(message);
    return client.closed;
  });
  expect(close.code).toBe(code);
  expect(close.reason).not.toMatch(/error:|\bat |\//i);
});

test('a socket without connection_init is closed with 4408', async () => {
  const { gateway, withstands } = await startAttacked();
  const client = await openGraphqlWs(gateway.graphqlUrl, { init: false });
  expect(await withstands(() => client.closed)).toMatchObject({ code: 4408 });
}, 30_000);

test('a message in thousands of fragments that are too large together is closed with 1009', async () => {
  const { gateway, withstands } = await startAttacked();
  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  const code = await withstands(() => {
    for (let sent = 0; sent < 5000; sent += 1) socket.send('x'.repeat(100), { fin: false });
    return closed;
  });
  expect(code).toBe(1009);
});

test('a message in more fragments than anybody needs is closed, however small they are', async () => {
  const { gateway, withstands } = await startAttacked();
  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  const code = await withstands(() => {
    for (let sent = 0; sent < 20_000; sent += 1) socket.send('', { fin: false });
    return closed;
  });
  expect(code).toBe(1008);
});

test('a message in a thousand tiny fragments, and one in binary, are read like any other', async () => {
  const { gateway, withstands } = await startAttacked();
  const { messages, socket } = await openRaw(gateway.graphqlUrl);
  await withstands(async () => {
    const text = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(1000) } });
    for (const character of text) socket.send(character, { fin: false });
    socket.send('', { fin: true });
    expect(await messages.next()).toEqual(text.replace('ping', 'pong'));
    socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    expect(await messages.next()).toEqual('{"type":"pong"}');
  });
});

test.each(['ping', 'pong'])('a flood of the protocol message %s is closed with 4429', async (type) => {
  const { gateway, withstands } = await startAttacked();
  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  const code = await withstands(async () => {
    while (socket.readyState === socket.OPEN) {
      for (let sent = 0; sent < 1500; sent += 1) socket.send(JSON.stringify({ type }));
      await new Promise(setImmediate);
    }
    return closed;
  });
  expect(code).toBe(4429);
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
  expect([1006, 4429]).toContain(await withstands(() => closed));
});

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

/** A socket of which a test decides each frame. */
async function openRaw(url: string) {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws');
  onTestEnd(() => {
    socket.terminate();
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  // Writing to a socket that is being closed is what a flood does.
  socket.on('error', () => undefined);
  const texts: string[] = [];
  socket.on('message', (data: Buffer) => texts.push(data.toString()));
  const next = async (): Promise<string> => {
    if (texts.length === 0)
      await named('a message', new Promise((resolve) => socket.once('message', resolve)));
    return texts.shift() ?? '';
  };
  await named('the opening of a socket', new Promise((resolve) => socket.once('open', resolve)));
  return { socket, closed: named('the closing of a socket', closed), messages: { next } };
}
