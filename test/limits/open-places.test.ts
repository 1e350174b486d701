import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { GraphqlWsClosedError, openGraphqlWs } from '../kit/graphql-ws.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { SseRefusedError, openSse } from '../kit/sse.ts';
import { API_KEYS, ASK_DOORS, bearer, http, type Owner } from './asking.ts';

/** A socket or a stream that is open. */
interface Place {
  leave(): Promise<unknown>;
}

/** A way to take one of the places that are counted; rejects when there is none. */
interface PlaceDoor {
  readonly name: string;
  open(url: string, owner?: Owner, forwardedFor?: string): Promise<Place>;
}

const STREAM = { query: 'subscription { tasksUpdated { id } }' };

const webSocket: PlaceDoor = {
  name: 'WebSocket',
  async open(url, owner, forwardedFor) {
    const connectionParams = owner ? bearer(owner) : {};
    const socket = await openGraphqlWs(url, { connectionParams, headers: forwarded(forwardedFor) });
    return { leave: () => socket.close() };
  },
};

const sse: PlaceDoor = {
  name: 'SSE',
  async open(url, owner, forwardedFor) {
    const headers = { ...(owner && bearer(owner)), ...forwarded(forwardedFor) };
    const stream = await openSse(url, STREAM, { headers });
    if (stream.status !== 200) throw new SseRefusedError(stream.status, JSON.stringify(await stream.next()));
    const leave = (): Promise<void> => {
      stream.close();
      return Promise.resolve();
    };
    return { leave };
  },
};

const PLACE_DOORS: readonly PlaceDoor[] = [webSocket, sse];

function forwarded(address?: string): Record<string, string> {
  return address === undefined ? {} : { 'x-forwarded-for': address };
}

/** How taking a place is refused: null when it is not. */
async function refusalOf(opening: Promise<Place>): Promise<unknown> {
  try {
    await opening;
    return null;
  } catch (error) {
    if (error instanceof GraphqlWsClosedError) return { code: error.code, reason: error.reason };
    if (error instanceof SseRefusedError) return { status: error.status, body: error.body };
    if (error instanceof Error) return error.message;
    throw error;
  }
}

/** Takes a place as soon as one is free: the gateway learns of a client's leaving when it does. */
async function whenFree(door: PlaceDoor, ...where: Parameters<PlaceDoor['open']>): Promise<Place> {
  return named(`a free place over ${door.name}`, take());

  async function take(): Promise<Place> {
    for (;;) {
      try {
        return await door.open(...where);
      } catch {
        // Still taken.
      }
    }
  }
}

/** Asks for a WebSocket and returns the answer with which it is refused. */
function refusedUpgrade(url: string) {
  return new Promise<{ status: number | undefined; retryAfter: unknown; type: unknown; body: unknown }>(
    (resolve, reject) => {
      const headers = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      };
      const asking = request(url, { headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => {
          const { 'content-type': type, 'retry-after': retryAfter } = answer.headers;
          resolve({ status: answer.statusCode, retryAfter, type, body: JSON.parse(text) as unknown });
        });
      });
      asking.on('upgrade', () => {
        reject(new Error('The socket was opened'));
      });
      asking.on('error', reject).end();
      onTestEnd(() => void asking.destroy());
    },
  );
}

const QUERY = { query: '{ __typename }' };

function start(env: Readonly<Record<string, string>>): Promise<Gateway> {
  return startGateway({ env: { API_KEYS, ...env } });
}

/** Fills three places of ann's: sockets and streams count together. */
async function fillThree(url: string) {
  return [
    await webSocket.open(url, 'ann'),
    await sse.open(url, 'ann'),
    await webSocket.open(url, 'ann'),
  ] as const;
}

function tooMany(of: string): object {
  const extensions = {
    code: 'TOO_MANY_SUBSCRIPTIONS',
    hint: 'Close some first, or try again in 5 s.',
    retryAfter: 5,
  };
  return { errors: [{ message: `Too many sockets and streams of this ${of} are open.`, extensions }] };
}

async function refusedStream(url: string, query = 'subscription { tasksUpdated { id } }') {
  const headers = { ...bearer('ann'), accept: 'text/event-stream', 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const [, data = ''] = /^data: (.*)$/m.exec(await answer.text()) ?? [];
  return {
    status: answer.status,
    retryAfter: answer.headers.get('retry-after'),
    result: JSON.parse(data) as unknown,
  };
}

it('MAX_SOCKETS_PER_OWNER refuses one more than sockets and streams together may be, and counts no queries and no other owner', async () => {
  const { graphqlUrl } = await start({ MAX_SOCKETS_PER_OWNER: '3' });
  await fillThree(graphqlUrl);
  const socket = { code: 1013, reason: 'Too many sockets of this owner' };
  expect(await refusalOf(webSocket.open(graphqlUrl, 'ann'))).toEqual(socket);
  expect(await refusedStream(graphqlUrl)).toEqual({ status: 429, retryAfter: '5', result: tooMany('owner') });
  expect((await http.ask(graphqlUrl, QUERY, 'ann')).status).toBe(200);
  for (const { ask } of ASK_DOORS) expect((await ask(graphqlUrl, QUERY, 'bob')).errors).toEqual([]);
  for (const { open } of PLACE_DOORS) expect(await refusalOf(open(graphqlUrl, 'bob'))).toBeNull();
});

it('MAX_SOCKETS_PER_ADDRESS refuses one socket more, of any owner, with a hint and when to come back', async () => {
  const { graphqlUrl } = await start({ MAX_SOCKETS_PER_ADDRESS: '3' });
  await fillThree(graphqlUrl);
  expect(await refusedUpgrade(graphqlUrl)).toEqual({
    status: 429,
    retryAfter: '5',
    type: 'application/problem+json',
    body: expect.objectContaining({
      status: 429,
      hint: 'Close some first, or try again in 5 s.',
    }) as object,
  });
  expect(await refusalOf(webSocket.open(graphqlUrl, 'bob'))).toContain('429');
  expect(await refusedStream(graphqlUrl)).toEqual({
    status: 429,
    retryAfter: '5',
    result: tooMany('address'),
  });
  for (const { ask } of ASK_DOORS.filter(({ name }) => name !== 'WebSocket'))
    expect((await ask(graphqlUrl, QUERY, 'ann')).status).toBe(200);
});

it('MAX_SOCKETS_PER_ADDRESS counts a socket that has not said yet whose it is', async () => {
  const { graphqlUrl } = await start({ MAX_SOCKETS_PER_ADDRESS: '1' });
  await openGraphqlWs(graphqlUrl, { init: false });
  expect((await refusedUpgrade(graphqlUrl)).status).toBe(429);
});

describe.each(['MAX_SOCKETS_PER_OWNER', 'MAX_SOCKETS_PER_ADDRESS'])('%s', (name) => {
  it.each(PLACE_DOORS.flatMap((from) => PLACE_DOORS.map((to) => ({ from, to }))))(
    'gives the place of a closed one ($from.name) to the next ($to.name), and to that one alone',
    async ({ from, to }) => {
      const { graphqlUrl } = await start({ [name]: '1' });
      const place = await from.open(graphqlUrl, 'ann');
      for (const { open } of PLACE_DOORS) expect(await refusalOf(open(graphqlUrl, 'ann'))).not.toBeNull();
      await place.leave();
      await whenFree(to, graphqlUrl, 'ann');
      for (const { open } of PLACE_DOORS) expect(await refusalOf(open(graphqlUrl, 'ann'))).not.toBeNull();
    },
  );

  it('keeps no place for what never came to run', async () => {
    const { graphqlUrl } = await start({ [name]: '1' });
    const connectionParams = { authorization: 'Bearer a-key-of-nobody' };
    for (let sent = 0; sent < 3; sent += 1) {
      const query = 'subscription { taskUpdated(id: "no-such-task") { id } }';
      await refusedStream(graphqlUrl, query);
      await refusalOf(
        openGraphqlWs(graphqlUrl, { connectionParams }).then(() => ({ leave: () => Promise.resolve() })),
      );
    }
    await whenFree(webSocket, graphqlUrl, 'ann');
  });

  it('is off when unset', async () => {
    const { app, graphqlUrl } = await start({});
    await Promise.all(
      Array.from({ length: 110 }, (_, index) => (index % 2 ? sse : webSocket).open(graphqlUrl, 'ann')),
    );
    expect(app.stats().sockets).toBe(55);
  });
});

it('a stream that its address is refused takes no place of its owner', async () => {
  const env = { TRUSTED_PROXIES: '127.0.0.1', MAX_SOCKETS_PER_ADDRESS: '1', MAX_SOCKETS_PER_OWNER: '2' };
  const { graphqlUrl } = await start(env);
  await sse.open(graphqlUrl, 'ann', '203.0.113.1');
  for (let sent = 0; sent < 3; sent += 1)
    expect(await refusalOf(sse.open(graphqlUrl, 'ann', '203.0.113.1'))).not.toBeNull();
  expect(await refusalOf(sse.open(graphqlUrl, 'ann', '203.0.113.2'))).toBeNull();
});

describe('the address of a socket or stream behind a proxy', () => {
  it.each(PLACE_DOORS)('is what a trusted proxy says last ($name)', async ({ open }) => {
    const { graphqlUrl } = await start({ TRUSTED_PROXIES: '127.0.0.0/8', MAX_SOCKETS_PER_ADDRESS: '1' });
    await open(graphqlUrl, 'ann', '203.0.113.1');
    expect(await refusalOf(open(graphqlUrl, 'ann', '203.0.113.2'))).toBeNull();
    // Whatever a client has put before it.
    expect(await refusalOf(open(graphqlUrl, 'ann', '198.51.100.9, 203.0.113.1'))).not.toBeNull();
  });

  it.each(PLACE_DOORS)('is not what anybody else says ($name)', async ({ open }) => {
    const { graphqlUrl } = await start({ TRUSTED_PROXIES: '192.0.2.1', MAX_SOCKETS_PER_ADDRESS: '1' });
    await open(graphqlUrl, 'ann', '203.0.113.1');
    expect(await refusalOf(open(graphqlUrl, 'ann', '203.0.113.2'))).not.toBeNull();
  });
});

it('streams over GET count like those over POST', async () => {
  const { graphqlUrl } = await start({ MAX_SOCKETS_PER_OWNER: '1' });
  const operation = { query: 'subscription { tasksUpdated { id } }' };
  await openSse(graphqlUrl, operation, { method: 'GET', headers: bearer('ann') });
  expect((await refusedStream(graphqlUrl)).status).toBe(429);
});
