import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { TASKS_UPDATED } from '../kit/documents.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../kit/graphql-ws.ts';
import { onTestEnd } from '../kit/waits.ts';
import { eventually } from './eventually.ts';
import { startHeldGateway, type HeldGateway } from './held-gateway.ts';

const QUERY = '{ __typename }';
const SUBSCRIBE = { type: 'subscribe', id: '1', payload: { query: TASKS_UPDATED } };

/** What breaks the protocol so far that the socket is closed. */
const BREACHES: readonly {
  readonly what: string;
  readonly init?: boolean;
  readonly sends: readonly (string | object)[];
  readonly code: number;
}[] = [
  { what: 'an id that is in use', sends: [SUBSCRIBE, SUBSCRIBE], code: 4409 },
  { what: 'an operation before the acknowledgement', init: false, sends: [SUBSCRIBE], code: 4401 },
  { what: 'a second connection_init', sends: [{ type: 'connection_init' }], code: 4429 },
  {
    what: 'two connection_init at once',
    init: false,
    sends: [{ type: 'connection_init' }, { type: 'connection_init' }],
    code: 4429,
  },
  { what: 'a text that is no JSON', sends: ['hello'], code: 4400 },
  { what: 'a text that is no JSON, before anything else', init: false, sends: ['hello'], code: 4400 },
  { what: 'an empty text', sends: [''], code: 4400 },
  { what: 'a JSON array', sends: ['[]'], code: 4400 },
  { what: 'a JSON null', sends: ['null'], code: 4400 },
  { what: 'a message without a type', sends: [{}], code: 4400 },
  { what: 'a message of an unknown type', sends: [{ type: 'start', id: '1' }], code: 4400 },
  {
    what: 'a subscribe without an id',
    sends: [{ type: 'subscribe', payload: { query: QUERY } }],
    code: 4400,
  },
  { what: 'a subscribe without a payload', sends: [{ type: 'subscribe', id: '1' }], code: 4400 },
  { what: 'a subscribe without a query', sends: [{ type: 'subscribe', id: '1', payload: {} }], code: 4400 },
  {
    what: 'variables that are no object',
    sends: [{ type: 'subscribe', id: '1', payload: { query: QUERY, variables: 'a' } }],
    code: 4400,
  },
  { what: 'bytes that are no text', sends: [Buffer.from([0xff, 0x00, 0xfe, 0x7b])], code: 4400 },
  { what: 'a message of more than 256 KiB', sends: ['x'.repeat(256 * 1024 + 1)], code: 1009 },
  { what: 'bytes of more than 256 KiB', sends: [Buffer.alloc(256 * 1024 + 1)], code: 1009 },
];

describe('a socket is closed', () => {
  test.each(BREACHES)('with $code for $what', async ({ code, init = true, sends }) => {
    const kit = await startHeldGateway();
    const other = await openGraphqlWs(kit.gateway.graphqlUrl);
    const client = await openGraphqlWs(kit.gateway.graphqlUrl, { init });
    for (const message of sends) client.send(message);
    expect((await client.closed).code).toBe(code);
    await onlyOneIsLeft(kit, other);
  });

  test('with 4408 when no connection_init comes in time', async () => {
    const { gateway } = await startHeldGateway();
    const client = await openGraphqlWs(gateway.graphqlUrl, { init: false });
    client.send({ type: 'ping' });
    expect((await client.closed).code).toBe(4408);
  });

  test.each(['graphql-ws', 'soap', 'graphql-ws, soap'])(
    'with 4406 for the subprotocol %s',
    async (protocol) => {
      const { gateway } = await startHeldGateway();
      expect((await openWithProtocol(gateway.graphqlUrl, protocol).closed).code).toBe(4406);
    },
  );

  test('politely by its client: with the same code, and nothing is left of it', async () => {
    const kit = await startHeldGateway();
    const other = await openGraphqlWs(kit.gateway.graphqlUrl);
    const client = await openGraphqlWs(kit.gateway.graphqlUrl);
    client.send(SUBSCRIBE);
    await eventually('the subscription is attached', () => kit.gateway.app.stats().listeners === 1);
    expect((await client.close(1000, 'bye')).code).toBe(1000);
    await onlyOneIsLeft(kit, other);
  });
});

describe('a message of 256 KiB', () => {
  test('is taken', async () => {
    const { gateway } = await startHeldGateway();
    const client = await openGraphqlWs(gateway.graphqlUrl);
    const frame = (text: string): string => JSON.stringify({ type: 'ping', payload: { text } });
    client.send(frame('x'.repeat(256 * 1024 - frame('').length)));
    await client.message(({ type }) => type === 'pong');
  });
});

describe('a socket whose client names no subprotocol', () => {
  test('is served all the same', async () => {
    const { gateway } = await startHeldGateway();
    const { firstMessage } = openWithProtocol(gateway.graphqlUrl, null);
    expect(await firstMessage).toEqual({ type: 'connection_ack' });
  });
});

describe('an upgrade is refused', () => {
  test.each(['/', '/graphql/x', '/graphqlx', '/socket', '/sandbox/files', '//graphql'])(
    'with 404 at %s',
    async (path) => {
      const { gateway } = await startHeldGateway();
      await expect(openGraphqlWs(gateway.url + path)).rejects.toThrow('404');
      expect(gateway.app.stats().sockets).toBe(0);
    },
  );

  test('with 403 for a page of a foreign origin', async () => {
    const { gateway } = await startHeldGateway();
    await expect(openGraphqlWs(gateway.graphqlUrl, { origin: 'https://evil.example' })).rejects.toThrow(
      '403',
    );
    expect(gateway.app.stats().sockets).toBe(0);
  });

  test('and the address of the socket answers beside it: a query string changes nothing', async () => {
    const { gateway } = await startHeldGateway();
    await openGraphqlWs(`${gateway.graphqlUrl}?token=none`);
  });

  test('when it is no WebSocket handshake', async () => {
    const { gateway } = await startHeldGateway();
    const websocket = { upgrade: 'websocket', connection: 'upgrade' };
    for (const [status, headers] of [
      [400, { ...websocket, upgrade: 'h2c' }],
      [426, websocket],
      [400, { ...websocket, 'sec-websocket-version': '13', 'sec-websocket-key': 'x' }],
    ] as const)
      expect(await statusOf(gateway.graphqlUrl, headers)).toBe(status);
    expect(gateway.app.stats().sockets).toBe(0);
  });
});

/** The server has forgotten a socket and all it had, and another one is none the worse for it. */
async function onlyOneIsLeft({ gateway }: HeldGateway, other: GraphqlWsClient): Promise<void> {
  await eventually('one socket is left', () => gateway.app.stats().sockets === 1);
  await eventually('no listener is left', () => gateway.app.stats().listeners === 0);
  await other.subscribe({ query: QUERY }).data();
}

/** A socket whose client does not mind that the server names no subprotocol. */
function openWithProtocol(url: string, protocol: string | null) {
  const headers = protocol === null ? {} : { 'sec-websocket-protocol': protocol };
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
  onTestEnd(() => {
    socket.terminate();
  });
  const closed = new Promise<{ readonly code: number }>((resolve, reject) => {
    socket.on('error', reject).on('close', (code) => {
      resolve({ code });
    });
  });
  const firstMessage = new Promise<unknown>((resolve) => {
    socket.once('message', (data: Buffer) => {
      resolve(JSON.parse(data.toString()));
    });
  });
  socket.on('open', () => {
    socket.send(JSON.stringify({ type: 'connection_init' }));
  });
  return { closed, firstMessage };
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
