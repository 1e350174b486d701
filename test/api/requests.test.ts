import { request } from 'node:http';
import { serverAudits } from 'graphql-http';
import { describe, expect, it } from 'vitest';
import { DOORS } from '../attacks/doors.ts';
import { headOf, sendRaw } from '../attacks/raw-http.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import type { GraphqlResult } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { openSse } from '../kit/sse.ts';

type Headers = Readonly<Record<string, string>>;

const JSON_TYPE = { 'content-type': 'application/json' };
const OLD = 'application/json';
const NEW = 'application/graphql-response+json';
const STREAM = 'text/event-stream';
const QUERY = '{ __typename }';
const OPERATION = JSON.stringify({ query: QUERY });
const TYPENAME = { data: { __typename: 'Query' } };
const SUBSCRIPTION = { query: 'subscription { tasksUpdated { id } }' };
const LIMIT = 256 * 1024;
const PERSISTED = {
  persistedQuery: {
    version: 1,
    sha256Hash: 'ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38',
  },
};
const NOT_SUPPORTED = {
  errors: [{ message: 'PersistedQueryNotSupported', extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } }],
};

async function start(env: Headers = {}): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider(), env });
}

async function send(url: string, init: RequestInit) {
  const { headers, status, ...response } = await fetch(url, init).then(async (answer) => ({
    headers: answer.headers,
    status: answer.status,
    text: await answer.text(),
  }));
  const type = headers.get('content-type')?.split(';')[0];
  const json = /^data: ?(\{.*\})$/m.exec(response.text)?.[1] ?? response.text;
  return { status, type, headers, body: JSON.parse(json) as GraphqlResult<unknown> };
}

/** Posts a text, form or bytes as they are, anything else as JSON. */
function post(url: string, body: unknown, headers: Headers = JSON_TYPE) {
  const isRaw = typeof body === 'string' || body instanceof FormData || body instanceof URLSearchParams;
  const bytes = isRaw || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return send(url, { method: 'POST', headers, body: bytes as NonNullable<RequestInit['body']> });
}

function oneError(message: RegExp) {
  return {
    errors: [expect.objectContaining({ message: expect.stringMatching(message) as string }) as object],
  };
}

/** An operation of exactly so many bytes. */
function operationOf(bytes: number): string {
  const empty = JSON.stringify({ query: QUERY, variables: { filler: '' } });
  return empty.replace('""', JSON.stringify('x'.repeat(bytes - empty.length)));
}

// What the specification leaves to the server ("MAY") is not required.
it('the server passes every audit of GraphQL over HTTP', async () => {
  const { graphqlUrl } = await start();
  const audits = serverAudits({ url: graphqlUrl }).filter(({ name }) => !name.startsWith('MAY'));
  expect(audits.length).toBeGreaterThan(30);
  for (const { fn, id, name } of audits)
    expect(await fn(), `${name} (${id})`).toMatchObject({ status: 'ok' });
});

describe('an automatic persisted query', () => {
  it('of which only the hash is sent is answered so that the client sends the text', async () => {
    const { graphqlUrl } = await start();
    const search = new URLSearchParams({ operationName: 'A', extensions: JSON.stringify(PERSISTED) });
    for (const accept of [OLD, NEW])
      for (const answer of [
        await post(
          graphqlUrl,
          { operationName: 'A', variables: {}, extensions: PERSISTED },
          { ...JSON_TYPE, accept },
        ),
        await send(`${graphqlUrl}?${search.toString()}`, { headers: { accept } }),
      ])
        expect(answer).toMatchObject({ status: 200, type: accept, body: NOT_SUPPORTED });
    const streamed = await post(graphqlUrl, { extensions: PERSISTED }, { ...JSON_TYPE, accept: STREAM });
    expect(streamed.body).toMatchObject(NOT_SUPPORTED);
  });

  it('is answered with an error over a socket, which stays open', async () => {
    const client = await openGraphqlWs((await start()).graphqlUrl);
    client.send({ type: 'subscribe', id: 'hash', payload: { extensions: PERSISTED } });
    const { payload, type } = await client.message(({ id }) => id === 'hash');
    expect([type, payload]).toMatchObject(['error', NOT_SUPPORTED.errors]);
    expect(await client.subscribe({ query: QUERY }).data()).toEqual(TYPENAME.data);
  });

  it('that comes with its text is executed', async () => {
    const { graphqlUrl } = await start();
    const operation = { query: QUERY, extensions: PERSISTED };
    expect((await post(graphqlUrl, operation)).body).toEqual(TYPENAME);
    const client = await openGraphqlWs(graphqlUrl);
    client.send({ type: 'subscribe', id: 'both', payload: operation });
    const { payload, type } = await client.message(({ id }) => id === 'both');
    expect([type, payload]).toEqual(['next', TYPENAME]);
  });
});

describe('the parameters of a request', () => {
  it('may have unknown members', async () => {
    const { graphqlUrl } = await start();
    const body = { query: QUERY, id: 'x', cacheKey: null, doc_id: 1 };
    for (const accept of [OLD, NEW, STREAM])
      expect((await post(graphqlUrl, body, { ...JSON_TYPE, accept })).body, accept).toEqual(TYPENAME);
  });

  it('without a query are refused with 400', async () => {
    const { graphqlUrl } = await start();
    for (const accept of [OLD, NEW, '*/*', STREAM]) {
      const refused = { status: 400, body: { errors: [{}] } };
      for (const body of [{}, { query: null }, { variables: {} }])
        expect(await post(graphqlUrl, body, { ...JSON_TYPE, accept }), accept).toMatchObject(refused);
      expect(await send(graphqlUrl, { headers: { accept } }), accept).toMatchObject({ status: 400 });
    }
  });

  it('have no operation name when it is empty, and a slash after the path changes nothing, over every transport', async () => {
    const { graphqlUrl } = await start();
    for (const { name, send: sendOver } of DOORS) {
      const operation = { query: 'query A { __typename }', operationName: '' };
      expect((await sendOver(graphqlUrl, operation)).data, name).toEqual(TYPENAME.data);
      expect((await sendOver(`${graphqlUrl}/`, { query: QUERY })).data, name).toEqual(TYPENAME.data);
    }
  });
});

it('a wrong document is answered with 400 and the reason, and without data', async () => {
  const { graphqlUrl } = await start();
  const two = { query: 'query A { __typename } query B { __typename }', operationName: 'C' };
  for (const [operation, message] of [
    [{ query: '{ tasks {' }, /Syntax Error/],
    [{ query: '' }, /Syntax Error/],
    [{ query: '{ nope }' }, /Cannot query field "nope"/],
    [{ query: '{ task { id } }' }, /"id" of type "ID!" is required/],
    [two, /operation/],
  ] as const) {
    const answer = await post(graphqlUrl, operation, { ...JSON_TYPE, accept: NEW });
    expect(answer).toMatchObject({ status: 400, type: NEW, body: oneError(message) });
    expect(answer.body).not.toHaveProperty('data');
    const old = await post(graphqlUrl, operation, { ...JSON_TYPE, accept: OLD });
    expect(old).toMatchObject({ type: OLD, body: oneError(message) });
    expect([200, 400]).toContain(old.status);
  }
});

it.each([
  ['JSON that ends early', '{"query":', /invalid JSON/],
  ['nothing', '', /invalid JSON/],
  ['a string', '"{ __typename }"', /object/],
  ['a query that is no string', '{"query":1}', /"query" .*string/],
  ['variables that are no object', '{"query":"{ a }","variables":"x"}', /"variables"/],
  ['no query at all', '{}', /query string/],
  ['a batch', `[${OPERATION},${OPERATION}]`, /[Bb]atch/],
  ['a batch of one', `[${OPERATION}]`, /[Bb]atch/],
])(
  'a body that is no operation, like %s, is answered with 400 and what is wrong',
  async (_, body, message) => {
    const answer = await post((await start()).graphqlUrl, body, { ...JSON_TYPE, accept: NEW });
    expect(answer).toMatchObject({ status: 400, body: oneError(message) });
  },
);

it('a body of a type that a web form can send is refused with 415', async () => {
  const { graphqlUrl } = await start();
  const form = new FormData();
  form.append('operations', OPERATION);
  form.append('map', '{}');
  const refused = {
    status: 415,
    type: 'application/problem+json',
    body: { status: 415, hint: expect.stringContaining('application/json') as string },
  };
  for (const [body, headers] of [
    [new URLSearchParams({ query: QUERY }), {}],
    [OPERATION, { 'content-type': 'text/plain' }],
    [form, {}],
    [Buffer.from(OPERATION), {}],
    [OPERATION, { 'content-type': 'text/plain; application/json' }],
    [QUERY, { 'content-type': 'application/graphql' }],
  ] as const)
    expect(await post(graphqlUrl, body, headers), JSON.stringify(headers)).toMatchObject(refused);
  for (const type of ['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON'])
    expect((await post(graphqlUrl, OPERATION, { 'content-type': type })).body, type).toEqual(TYPENAME);
});

it('a body has at most 256 KiB, whether its length is declared or not', async () => {
  const { graphqlUrl } = await start();
  expect(await post(graphqlUrl, operationOf(LIMIT))).toMatchObject({ status: 200, body: TYPENAME });
  expect(await post(graphqlUrl, operationOf(LIMIT + 1))).toMatchObject({
    status: 413,
    type: 'application/problem+json',
    body: { status: 413, hint: expect.stringContaining('256 KiB') as string },
  });
  const status = await new Promise((resolve, reject) => {
    const headers = { ...JSON_TYPE, 'transfer-encoding': 'chunked' };
    const sending = request(graphqlUrl, { method: 'POST', headers }, (answer) => {
      resolve(answer.resume().statusCode);
    });
    sending.on('error', reject).end(operationOf(LIMIT + 1));
  });
  expect(status).toBe(413);
});

it('a GET request may query and must not change anything; other methods are not allowed', async () => {
  const provider = await startFakeProvider();
  const { graphqlUrl } = await startGateway({ provider });
  const get = (query: string) => send(`${graphqlUrl}?${new URLSearchParams({ query }).toString()}`, {});
  expect((await get(QUERY)).body).toEqual(TYPENAME);
  const mutation =
    'mutation { createImageToVideo(input: {prompt: "x", imageUrl: "https://a.example"}) { __typename } }';
  const refused = await get(mutation);
  expect(refused).toMatchObject({ status: 405, body: oneError(/POST/) });
  expect(refused.headers.get('allow')).toBe('POST');
  expect(provider.requests()).toEqual([]);
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    const { headers, status } = await send(graphqlUrl, { method });
    expect([method, status, headers.get('allow')]).toEqual([method, 405, 'GET, POST']);
  }
});

describe('a subscription over HTTP', () => {
  it('is refused with 406 and a hint for clients that do not accept event streams', async () => {
    const { app, graphqlUrl } = await start();
    for (const [accept, type] of [
      [OLD, OLD],
      [NEW, NEW],
      ['*/*', OLD],
      [`multipart/mixed;boundary="graphql";subscriptionSpec=1.0,${NEW},${OLD};q=0.9`, NEW],
    ] as const) {
      const answer = await post(graphqlUrl, SUBSCRIPTION, { ...JSON_TYPE, accept });
      expect(answer, accept).toMatchObject({ status: 406, type });
      expect(answer.body.errors?.[0]?.extensions?.['hint']).toMatch(/WebSocket.*text\/event-stream/);
    }
    expect(app.stats().listeners).toBe(0);
  });

  it('is a stream for clients that accept one, which proxies must neither buffer nor change', async () => {
    const { graphqlUrl } = await start();
    for (const accept of [STREAM, `${NEW}, ${OLD}, ${STREAM}, multipart/mixed`, `${STREAM}, ${OLD}`]) {
      const { headers, status } = await openSse(graphqlUrl, SUBSCRIPTION, { headers: { accept } });
      expect([accept, status]).toEqual([accept, 200]);
      expect(headers.get('x-accel-buffering')).toBe('no');
      expect(headers.get('cache-control')).toBe('no-cache, no-transform');
    }
  });
});

describe('a refusal is a GraphQL response and problem details', () => {
  const KEYS = { API_KEYS: 'ada:the-key-of-ada' };
  const AS_ADA = { ...JSON_TYPE, authorization: 'Bearer the-key-of-ada' };
  const REFUSED: readonly (readonly [status: number, init: RequestInit, path?: string])[] = [
    [401, { method: 'POST', headers: JSON_TYPE, body: OPERATION }],
    [404, { method: 'POST', headers: JSON_TYPE, body: OPERATION }, '/stream'],
    [405, { method: 'PUT' }],
    [413, { method: 'POST', headers: AS_ADA, body: 'x'.repeat(300_000) }],
    [415, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: OPERATION }],
    [415, { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: OPERATION }],
  ];
  const text = expect.any(String) as string;

  it.each([
    [NEW, NEW],
    [`${NEW},application/json;q=0.9`, NEW],
    [OLD, OLD],
    ['*/*', 'application/problem+json'],
    [STREAM, 'application/problem+json'],
  ])('for a client that accepts %s', async (accept, type) => {
    const { graphqlUrl } = await start(KEYS);
    for (const [status, init, path = ''] of REFUSED) {
      const headers = { ...(init.headers as Headers | undefined), accept };
      const errors = [{ message: text, extensions: { code: text } }];
      const expected = { status, type, body: { status, title: text, errors } };
      expect(await send(graphqlUrl + path, { ...init, headers })).toMatchObject(expected);
    }
  });

  it('for whoever uses a foreign host name, and before the body of an unknown caller', async () => {
    const { app } = await start(KEYS);
    const foreign = await sendRaw(
      (await start()).app.port,
      headOf('GET /graphql', 'Host: evil.example', 'Connection: close'),
    );
    expect(foreign.status).toBe(421);
    expect(JSON.parse(foreign.body)).toMatchObject({ status: 421, errors: [{ extensions: {} }] });
    const lines = ['Host: 127.0.0.1', 'Content-Type: application/json', 'Connection: close'];
    for (const length of ['Content-Length: 9', 'Transfer-Encoding: chunked'])
      expect((await sendRaw(app.port, headOf('POST /graphql', ...lines, length))).status).toBe(401);
  });

  it.each(['Connection: keep-alive', 'Upgrade: websocket'])(
    'for a WebSocket handshake that a proxy has reduced to "%s"',
    async (line) => {
      const { app } = await start();
      const lines = ['Host: 127.0.0.1', line, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
      const handshake = headOf('GET /graphql', ...lines, 'Sec-WebSocket-Version: 13');
      const last = headOf('GET /health', 'Host: 127.0.0.1', 'Connection: close');
      const { head, status } = await sendRaw(app.port, handshake + last);
      expect(status).toBe(426);
      expect(head).toMatch(/\r\nupgrade: websocket/i);
    },
  );
});
