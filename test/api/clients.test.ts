import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DOORS } from '../attacks/doors.ts';
import { headOf, sendRaw } from '../attacks/raw-http.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import type { GraphqlResult } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { openSse } from '../kit/sse.ts';

type Headers = Readonly<Record<string, string>>;

const JSON_TYPE = { 'content-type': 'application/json' };
const OLD = 'application/json';
const NEW = 'application/graphql-response+json';
const TYPENAME = { data: { __typename: 'Query' } };
const SUBSCRIPTION = { query: 'subscription { tasksUpdated { id } }' };
const PERSISTED = {
  persistedQuery: {
    version: 1,
    sha256Hash: 'ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38',
  },
};

async function start(env: Headers = {}): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider(), env });
}

async function send(url: string, init: RequestInit) {
  const response = await fetch(url, init);
  const type = response.headers.get('content-type')?.split(';')[0];
  const body = (await response.json()) as GraphqlResult<unknown>;
  return { status: response.status, type, body, headers: response.headers };
}

function post(url: string, body: unknown, headers: Headers = {}) {
  return send(url, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) });
}

describe('an automatic persisted query', () => {
  const NOT_SUPPORTED = {
    errors: [
      { message: 'PersistedQueryNotSupported', extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } },
    ],
  };

  it.each([OLD, NEW])(
    'of which only the hash comes is answered so that a client that accepts %s sends the text',
    async (accept) => {
      const { graphqlUrl } = await start();
      const search = new URLSearchParams({ operationName: 'A', extensions: JSON.stringify(PERSISTED) });
      for (const answer of [
        await post(graphqlUrl, { operationName: 'A', variables: {}, extensions: PERSISTED }, { accept }),
        await send(`${graphqlUrl}?${search.toString()}`, { headers: { accept } }),
      ])
        expect(answer).toMatchObject({ status: 200, type: accept, body: NOT_SUPPORTED });
    },
  );

  it('is answered the same over an event stream', async () => {
    const { graphqlUrl } = await start();
    const body = JSON.stringify({ extensions: PERSISTED });
    const headers = { ...JSON_TYPE, accept: 'text/event-stream' };
    const answer = await fetch(graphqlUrl, { method: 'POST', headers, body });
    expect(await answer.text()).toContain('PERSISTED_QUERY_NOT_SUPPORTED');
  });

  it('is answered with an error over a socket, which lives on', async () => {
    const client = await openGraphqlWs((await start()).graphqlUrl);
    client.send({ type: 'subscribe', id: 'hash', payload: { extensions: PERSISTED } });
    expect(await client.message(({ id }) => id === 'hash')).toMatchObject({
      type: 'error',
      payload: NOT_SUPPORTED.errors,
    });
    expect(await client.subscribe({ query: '{ __typename }' }).data()).toEqual(TYPENAME.data);
  });

  it('that comes with its text is executed', async () => {
    const { graphqlUrl } = await start();
    const operation = { query: '{ __typename }', extensions: PERSISTED };
    expect((await post(graphqlUrl, operation)).body).toEqual(TYPENAME);
    const client = await openGraphqlWs(graphqlUrl);
    client.send({ type: 'subscribe', id: 'both', payload: operation });
    expect(await client.message(({ id }) => id === 'both')).toMatchObject({
      type: 'next',
      payload: TYPENAME,
    });
  });
});

describe('the parameters of a request', () => {
  it.each([OLD, NEW, 'text/event-stream'])(
    'may have members that nobody knows, for a client that accepts %s',
    async (accept) => {
      const { graphqlUrl } = await start();
      const body = JSON.stringify({ query: '{ __typename }', id: 'x', cacheKey: null, doc_id: 1 });
      const answer = await fetch(graphqlUrl, { method: 'POST', headers: { ...JSON_TYPE, accept }, body });
      expect(await answer.text()).toContain(JSON.stringify(TYPENAME));
    },
  );

  it.each([OLD, NEW, '*/*', 'text/event-stream'])(
    'without a query are refused with 400 for a client that accepts %s',
    async (accept) => {
      const { graphqlUrl } = await start();
      for (const body of [{}, { query: null }, { variables: {} }])
        expect(await post(graphqlUrl, body, { accept })).toMatchObject({
          status: 400,
          body: { errors: [{}] },
        });
      expect(await send(graphqlUrl, { headers: { accept } })).toMatchObject({ status: 400 });
    },
  );

  it('have no operation name when it is empty, over every transport', async () => {
    const { graphqlUrl } = await start();
    for (const door of DOORS) {
      const told = await door.send(graphqlUrl, { query: 'query A { __typename }', operationName: '' });
      expect([door.name, told.data]).toEqual([door.name, TYPENAME.data]);
    }
  });
});

describe('a subscription without a socket or an event stream', () => {
  it.each([
    [OLD, OLD],
    [NEW, NEW],
    ['*/*', OLD],
    [
      'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9',
      NEW,
    ],
  ])('is refused for a client that accepts %s, with what to do', async (accept, type) => {
    const { app, graphqlUrl } = await start();
    const answer = await post(graphqlUrl, SUBSCRIPTION, { accept });
    expect(answer).toMatchObject({ status: 406, type });
    const hint = String(answer.body.errors?.[0]?.extensions?.['hint']);
    expect(hint).toContain('WebSocket');
    expect(hint).toContain('text/event-stream');
    expect(app.stats().listeners).toBe(0);
  });

  it.each([
    'text/event-stream',
    `${NEW}, ${OLD}, text/event-stream, multipart/mixed`,
    `text/event-stream, ${OLD}`,
  ])('is a stream for a client that accepts %s', async (accept) => {
    const { graphqlUrl } = await start();
    const stream = await openSse(graphqlUrl, SUBSCRIPTION, { headers: { accept } });
    expect(stream.status).toBe(200);
  });
});

it('an event stream asks proxies neither to hold it back nor to change it', async () => {
  const { headers } = await openSse((await start()).graphqlUrl, SUBSCRIPTION);
  expect(headers.get('x-accel-buffering')).toBe('no');
  expect(headers.get('cache-control')).toBe('no-cache, no-transform');
});

it('the endpoint is the same with a slash behind it, over every transport', async () => {
  const { graphqlUrl } = await start();
  for (const door of DOORS) {
    const { data } = await door.send(`${graphqlUrl}/`, { query: '{ __typename }' });
    expect([door.name, data]).toEqual([door.name, TYPENAME.data]);
  }
});

it.each([
  ['its Upgrade header', 'Connection: keep-alive'],
  ['its Connection header', 'Upgrade: websocket'],
])('a WebSocket handshake that lost %s on its way is told so', async (_, line) => {
  const { app } = await start();
  const handshake = headOf(
    'GET /graphql',
    'Host: 127.0.0.1',
    line,
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  );
  const socket = connect(app.port, '127.0.0.1');
  const text = await new Promise<string>((resolve, reject) => {
    socket.on('error', reject).once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.write(handshake);
  });
  expect(text).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
  expect(text).toMatch(/\r\nupgrade: websocket\r\n/i);
});

describe('a refusal is a GraphQL response and problem details', () => {
  const BODY = JSON.stringify({ query: '{ __typename }' });
  const REFUSED: readonly (readonly [status: number, init: RequestInit, path?: string])[] = [
    [401, { method: 'POST', headers: JSON_TYPE, body: BODY }],
    [404, { method: 'POST', headers: JSON_TYPE, body: BODY }, '/stream'],
    [405, { method: 'PUT' }],
    [
      413,
      {
        method: 'POST',
        headers: { ...JSON_TYPE, authorization: 'Bearer the-key-of-ada' },
        body: 'x'.repeat(300_000),
      },
    ],
    [415, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: BODY }],
    [415, { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: BODY }],
  ];

  it.each([
    [NEW, NEW],
    [`${NEW},application/json;q=0.9`, NEW],
    [OLD, OLD],
    ['*/*', 'application/problem+json'],
    ['text/event-stream', 'application/problem+json'],
  ])('for a client that accepts %s', async (accept, type) => {
    const { graphqlUrl } = await start({ API_KEYS: 'ada:the-key-of-ada' });
    for (const [status, init, path = ''] of REFUSED) {
      const headers = { ...(init.headers as Headers | undefined), accept };
      const answer = await send(graphqlUrl + path, { ...init, headers });
      expect(answer).toMatchObject({
        status,
        type,
        body: {
          status,
          title: expect.any(String) as string,
          errors: [
            { message: expect.any(String) as string, extensions: { code: expect.any(String) as string } },
          ],
        },
      });
    }
  });

  it('for whoever calls the gateway by a foreign name', async () => {
    const { app } = await start();
    const answer = await sendRaw(app.port, headOf('GET /graphql', 'Host: evil.example', 'Connection: close'));
    expect(answer.status).toBe(421);
    expect(JSON.parse(answer.body)).toMatchObject({ status: 421, errors: [{ extensions: {} }] });
  });
});

it('a caller that is not known is refused before a byte of its body', async () => {
  const { app } = await start({ API_KEYS: 'ada:the-key-of-ada' });
  const lines = ['Host: 127.0.0.1', 'Content-Type: application/json', 'Connection: close'];
  for (const length of ['Content-Length: 9', 'Transfer-Encoding: chunked'])
    expect(await sendRaw(app.port, headOf('POST /graphql', ...lines, length))).toMatchObject({ status: 401 });
});
