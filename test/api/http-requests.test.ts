import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';

const QUERY = '{ tasks { revision } }';
const OPERATION = JSON.stringify({ query: QUERY });
const JSON_TYPE = { 'content-type': 'application/json' };
const NEW = 'application/graphql-response+json';
const LIMIT = 256 * 1024;

async function start(): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider() });
}

async function post(gateway: Gateway, body: RequestInit['body'], headers: Readonly<Record<string, string>>) {
  const response = await fetch(gateway.graphqlUrl, { method: 'POST', body: body ?? null, headers });
  const type = response.headers.get('content-type')?.split(';')[0];
  return {
    status: response.status,
    type,
    body: (await response.json()) as unknown,
    headers: response.headers,
  };
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

describe('a document that is wrong', () => {
  const WRONG = [
    ['does not parse', '{ tasks {', /Syntax Error/],
    ['asks for an unknown field', '{ nope }', /Cannot query field "nope"/],
    ['leaves out an argument', '{ task { id } }', /"id" of type "ID!" is required/],
    ['is empty', '', /Syntax Error/],
  ] as const;

  it.each(WRONG)('because it %s is answered with 400', async (_, query, message) => {
    const answer = await post(await start(), JSON.stringify({ query }), { ...JSON_TYPE, accept: NEW });
    expect(answer).toMatchObject({ status: 400, type: NEW, body: oneError(message) });
    expect(answer.body).not.toHaveProperty('data');
  });

  it.each(WRONG)(
    'because it %s is told as well to a client of the old media type',
    async (_, query, message) => {
      const headers = { ...JSON_TYPE, accept: 'application/json' };
      const answer = await post(await start(), JSON.stringify({ query }), headers);
      expect(answer).toMatchObject({ type: 'application/json', body: oneError(message) });
      expect([200, 400]).toContain(answer.status);
    },
  );

  it('says which operations it might have meant when the name fits none', async () => {
    const body = JSON.stringify({
      query: 'query A { __typename } query B { __typename }',
      operationName: 'C',
    });
    const answer = await post(await start(), body, { ...JSON_TYPE, accept: NEW });
    expect(answer).toMatchObject({ status: 400, body: oneError(/operation/) });
  });
});

describe('a body that is no operation', () => {
  it.each([
    ['JSON that ends early', '{"query":', /invalid JSON/],
    ['nothing', '', /invalid JSON/],
    ['a string', '"{ __typename }"', /object/],
    ['a query that is no string', '{"query":1}', /"query" .*string/],
    ['variables that are no object', `{"query":"${QUERY}","variables":"x"}`, /"variables"/],
    ['no query at all', '{}', /query string/],
    ['a batch', `[${OPERATION},${OPERATION}]`, /[Bb]atch/],
    ['a batch of one', `[${OPERATION}]`, /[Bb]atch/],
  ])('like %s is answered with 400 and what is wrong', async (_, body, message) => {
    const answer = await post(await start(), body, { ...JSON_TYPE, accept: NEW });
    expect(answer).toMatchObject({ status: 400, body: oneError(message) });
  });
});

describe('a body of a type that a web form can send', () => {
  const form = new FormData();
  form.append('operations', OPERATION);
  form.append('map', '{}');

  it.each([
    ['urlencoded', new URLSearchParams({ query: QUERY }), {}],
    ['plain text', OPERATION, { 'content-type': 'text/plain' }],
    ['multipart', form, {}],
    ['of no type', Buffer.from(OPERATION), {}],
    ['JSON in name only', OPERATION, { 'content-type': 'text/plain; application/json' }],
    ['a bare GraphQL document', QUERY, { 'content-type': 'application/graphql' }],
  ])('is refused: %s', async (_, body, headers) => {
    const answer = await post(await start(), body, headers);
    expect(answer).toMatchObject({
      status: 415,
      type: 'application/problem+json',
      body: { status: 415, hint: expect.stringContaining('application/json') as string },
    });
  });

  it.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON'])(
    'is not what %s is',
    async (type) => {
      const answer = await post(await start(), OPERATION, { 'content-type': type });
      expect(answer.body).toEqual({ data: { tasks: { revision: 0 } } });
    },
  );
});

describe('a body', () => {
  it('may be 256 KiB large', async () => {
    const answer = await post(await start(), operationOf(LIMIT), JSON_TYPE);
    expect(answer).toMatchObject({ status: 200, body: { data: { tasks: { revision: 0 } } } });
  });

  it('is refused when it is one byte larger, with what is allowed', async () => {
    const answer = await post(await start(), operationOf(LIMIT + 1), JSON_TYPE);
    expect(answer).toMatchObject({
      status: 413,
      type: 'application/problem+json',
      body: { status: 413, hint: expect.stringContaining('256 KiB') as string },
    });
  });

  it('is refused when it grows too large on the way, its length unsaid', async () => {
    const gateway = await start();
    const status = await new Promise((resolve, reject) => {
      const sending = request(gateway.graphqlUrl, { method: 'POST', headers: JSON_TYPE }, (answer) => {
        resolve(answer.resume().statusCode);
      });
      sending.on('error', reject);
      sending.setHeader('transfer-encoding', 'chunked');
      sending.end(operationOf(LIMIT + 1));
    });
    expect(status).toBe(413);
  });
});

describe('a GET request', () => {
  it('may ask a query', async () => {
    const search = new URLSearchParams({ query: QUERY });
    const answer = await fetch(`${(await start()).graphqlUrl}?${search.toString()}`);
    expect(await answer.json()).toEqual({ data: { tasks: { revision: 0 } } });
  });

  it('may not change anything, and is told how to', async () => {
    const provider = await startFakeProvider();
    const { graphqlUrl } = await startGateway({ provider });
    const query =
      'mutation { createImageToVideo(input: {prompt: "x", imageUrl: "https://a.example"}) { __typename } }';
    const answer = await fetch(`${graphqlUrl}?${new URLSearchParams({ query }).toString()}`);
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
    expect(await answer.json()).toEqual(oneError(/POST/));
    expect(provider.requests()).toEqual([]);
  });
});

it.each(['PUT', 'PATCH', 'DELETE'])(
  'the method %s is not allowed, and the allowed ones are named',
  async (method) => {
    const answer = await fetch((await start()).graphqlUrl, { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, POST');
    await answer.body?.cancel();
  },
);
