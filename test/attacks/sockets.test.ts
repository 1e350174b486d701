import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { eventually } from '../websocket/eventually.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { startAttacked } from './bystander.ts';
import { openRaw, subscribe } from './raw-socket.ts';

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

test('a socket is closed with 4400 for an operation id of more than 128 characters', async () => {
  const { gateway, withstands } = await startAttacked();
  const client = await openGraphqlWs(gateway.graphqlUrl);
  client.send(subscribe('i'.repeat(129), QUERY));
  expect(await withstands(() => client.closed)).toEqual({
    code: 4400,
    reason: 'The id of an operation has at most 128 characters',
  });
});

test('an id in use closes the socket with 4409 and a reason that fits, however long the id is', async () => {
  const { gateway, withstands } = await startAttacked();
  const client = await openGraphqlWs(gateway.graphqlUrl);
  const id = 'é'.repeat(128);
  client.send(subscribe(id, TASKS_UPDATED));
  client.send(subscribe(id, TASKS_UPDATED));
  const { code, reason } = await withstands(() => client.closed);
  expect(code).toBe(4409);
  expect(reason).toMatch(/^Subscriber for \?/);
  expect(Buffer.byteLength(reason)).toBe(123);
});

/** What a client may send before it is let in, each more than a connection_init needs. */
const BEFORE_INIT: readonly (readonly [what: string, send: (socket: WebSocket) => void])[] = [
  [
    'a message of 2 MB',
    (socket) => {
      socket.send('x'.repeat(2_000_000));
    },
  ],
  [
    'a connection_init of 17 KiB',
    (socket) => {
      socket.send(initOf(17 * KIB));
    },
  ],
  [
    '15,000 fragments of one byte',
    (socket) => {
      sendFragments(socket, 15_000);
    },
  ],
  [
    '15,000 empty fragments',
    (socket) => {
      sendFragments(socket, 15_000, '');
    },
  ],
  [
    '200 pings of 125 bytes',
    (socket) => {
      for (let sent = 0; sent < 200; sent += 1) socket.ping(Buffer.alloc(125));
    },
  ],
];

test.each(BEFORE_INIT)('%s before connection_init cuts the socket at once', async (_, send) => {
  const { gateway, withstands } = await startAttacked();
  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  const sockets = () => gateway.app.stats().sockets;
  const before = sockets();
  const code = await withstands(async () => {
    // Its client does not answer a close.
    socket.pause();
    send(socket);
    await eventually('the server has dropped the socket', () => sockets() === before - 1);
    socket.resume();
    return closed;
  });
  // The close frame leaves first, and may be lost where bytes that nobody reads follow.
  expect([1006, 1008, 1009]).toContain(code);
});

test('a connection_init of 15 KiB is taken, and so is one in a hundred fragments', async () => {
  const { gateway, withstands } = await startAttacked();
  const { messages, socket } = await openRaw(gateway.graphqlUrl);
  const inParts = await openRaw(gateway.graphqlUrl);
  await withstands(async () => {
    socket.send(initOf(15 * KIB));
    expect(await messages.next()).toBe('{"type":"connection_ack"}');
    const text = initOf(100);
    for (const character of text) inParts.socket.send(character, { fin: false });
    inParts.socket.send('', { fin: true });
    expect(await inParts.messages.next()).toBe('{"type":"connection_ack"}');
  });
});

test('a message in fragments that are too large together is closed with 1009', async () => {
  const { gateway, withstands } = await startAttacked();
  const { closed, socket } = await openAdmitted(gateway.graphqlUrl);
  const code = await withstands(() => {
    sendFragments(socket, 100, 'x'.repeat(5000));
    return closed;
  });
  expect(code).toBe(1009);
});

test.each(['', 'x'])(
  'a message in more fragments than one per KiB is closed with 1008 (%j)',
  async (text) => {
    const { gateway, withstands } = await startAttacked();
    const { closed, socket } = await openAdmitted(gateway.graphqlUrl);
    const code = await withstands(() => {
      sendFragments(socket, 257, text);
      return closed;
    });
    expect(code).toBe(1008);
  },
);

test('a message in two hundred fragments, and one in binary, are read like any other', async () => {
  const { gateway, withstands } = await startAttacked();
  const { messages, socket } = await openAdmitted(gateway.graphqlUrl);
  await withstands(async () => {
    const text = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(150) } });
    for (const character of text) socket.send(character, { fin: false });
    socket.send('', { fin: true });
    expect(await messages.next()).toEqual(text.replace('ping', 'pong'));
    socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    expect(await messages.next()).toEqual('{"type":"pong"}');
  });
});

test('operations of one socket whose text and variables exceed one message are refused until others end', async () => {
  const { gateway, ports, withstands } = await startAttacked();
  const task = await addTask(ports.store);
  const client = await openGraphqlWs(gateway.graphqlUrl);
  const large = (id: string): object =>
    subscribe(id, `${TASK_UPDATED}#${'x'.repeat(100 * KIB)}`, { id: task.id, after: 0 });
  await withstands(async () => {
    for (const id of ['1', '2', '3']) client.send(large(id));
    const answers = [];
    for (const id of ['1', '2', '3']) answers.push(await client.message((message) => message.id === id));
    expect(answers.map(({ type }) => type)).toEqual(['next', 'next', 'error']);
    expect(answers[2]?.payload).toMatchObject([{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }]);
    client.send({ type: 'complete', id: '1' });
    client.send({ type: 'ping' });
    await client.message(({ type }) => type === 'pong');
    client.send(large('4'));
    expect((await client.message(({ id }) => id === '4')).type).toBe('next');
  });
});

function initOf(bytes: number): string {
  const text = (filler: string): string => JSON.stringify({ type: 'connection_init', payload: { filler } });
  return text('x'.repeat(Math.max(0, bytes - text('').length)));
}

function sendFragments(socket: WebSocket, count: number, text = 'x'): void {
  for (let sent = 0; sent < count; sent += 1) socket.send(text, { fin: false });
}

/** A raw socket whose client was let in. */
async function openAdmitted(url: string) {
  const raw = await openRaw(url);
  raw.socket.send('{"type":"connection_init"}');
  expect(await raw.messages.next()).toBe('{"type":"connection_ack"}');
  return raw;
}
