import { describe, expect, it } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../kit/graphql-ws.ts';
import { API_KEYS, bearer, type Owner } from './asking.ts';
import { PROBLEM_MEDIA_TYPE } from '../../src/http/problem.ts';

const SIZES = [
  { value: 'unset', env: {}, bytes: 256 * 1024, said: '256 KiB' },
  { value: 'set', env: { MAX_BODY_BYTES: '1000' }, bytes: 1000, said: '1000 bytes' },
];
const DATA = { data: { tasks: { revision: 0 } } };

/** JSON of exactly so many bytes, in which a character takes two. */
function ofBytes(bytes: number, json: (filler: string) => object): string {
  const rest = bytes - Buffer.byteLength(JSON.stringify(json('é')));
  return JSON.stringify(json(`é${'x'.repeat(rest)}`));
}

function operation(filler: string): { query: string; variables: object } {
  return { query: '{ tasks { revision } }', variables: { filler } };
}

function message(filler: string): object {
  return { type: 'subscribe', id: '1', payload: operation(filler) };
}

async function start(env: Readonly<Record<string, string>>): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider(), env });
}

function post({ graphqlUrl }: Gateway, accept: string, body: string): Promise<Response> {
  const headers = { accept, 'content-type': 'application/json' };
  return fetch(graphqlUrl, { method: 'POST', headers, body });
}

function answerTo(client: GraphqlWsClient): Promise<object> {
  return client.message(({ id }) => id === '1');
}

describe.each(SIZES)('MAX_BODY_BYTES, $value,', ({ bytes, env, said }) => {
  it.each([
    ['HTTP', 'application/json'],
    ['SSE', 'text/event-stream'],
  ])('over %s lets a body of as many bytes through', async (_, accept) => {
    const answer = await post(await start(env), accept, ofBytes(bytes, operation));
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain(JSON.stringify(DATA));
  });

  it.each([
    ['HTTP', 'application/json', 'application/json'],
    ['SSE', 'text/event-stream', PROBLEM_MEDIA_TYPE],
  ])('over %s refuses a body of one more with 413 and what is allowed', async (_, accept, type) => {
    const answer = await post(await start(env), accept, ofBytes(bytes + 1, operation));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([413, expect.stringContaining(type)]);
    expect(await answer.json()).toMatchObject({ status: 413, hint: `Send at most ${said}.` });
  });

  it('over a WebSocket lets a message of as many bytes through', async () => {
    const client = await openGraphqlWs((await start(env)).graphqlUrl);
    client.send(ofBytes(bytes, message));
    expect(await answerTo(client)).toEqual({ type: 'next', id: '1', payload: DATA });
  });

  it('over a WebSocket closes with 1009 upon a message of one more, and leaves other sockets alone', async () => {
    const { graphqlUrl } = await start(env);
    const other = await openGraphqlWs(graphqlUrl);
    const client = await openGraphqlWs(graphqlUrl);
    client.send(ofBytes(bytes + 1, message));
    expect((await client.closed).code).toBe(1009);
    expect(client.messages).toEqual([{ type: 'connection_ack' }]);
    other.send(JSON.stringify(message('')));
    expect(await answerTo(other)).toEqual({ type: 'next', id: '1', payload: DATA });
  });
});

it('of one owner 16 MiB of bodies wait for their turn, more get 429, and another owner is served', async () => {
  const bytes = 4 * 1024 * 1024;
  const gateway = await start({ API_KEYS, MAX_BODY_BYTES: String(bytes) });
  const asked = async (owner: Owner, size: number) => {
    const headers = { ...bearer(owner), accept: 'application/json', 'content-type': 'application/json' };
    const body = ofBytes(size, operation);
    const answer = await fetch(gateway.graphqlUrl, { method: 'POST', headers, body });
    return { status: answer.status, json: (await answer.json()) as object };
  };
  const flood = Array.from({ length: 12 }, () => asked('ann', bytes));
  expect(await asked('bob', 100)).toEqual({ status: 200, json: DATA });
  const answers = await Promise.all(flood);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(12 - refused.length);
  const hint = 'Wait for the answers to some of them, or try again in 1 s.';
  const extensions = { code: 'RATE_LIMITED', hint, retryAfter: 1 };
  for (const { json } of refused)
    expect(json).toMatchObject({
      errors: [{ message: 'Too many operations of this owner are waiting.', extensions }],
    });
});
