import { expect, test } from 'vitest';
import { TASKS_UPDATED } from '../support/documents.ts';
import { openGraphqlWs } from '../support/graphql-ws-client.ts';
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
});

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
