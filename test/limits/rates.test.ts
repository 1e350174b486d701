import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, test } from 'vitest';
import { postOf, sendRaw } from '../attacks/raw-http.ts';
import { stopTheClock } from '../kit/clock.ts';
import { type ApiCreateResult, CREATE, TASKS, input } from '../kit/documents.ts';
import { quickDir, startGateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, notVisibleYet, refused } from '../kit/kie.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { deferred, onTestEnd } from '../kit/waits.ts';
import { startWithProvider } from '../webhooks/called-back.ts';
import { createStandingClock, type StandingClock } from '../webhooks/standing-clock.ts';
import { eventually } from '../websocket/eventually.ts';
import { API_KEYS, ASK_DOORS, bearer, http, refusalOf, tooFast, type Owner } from './asking.ts';

type Env = Readonly<Record<string, string>>;
type Fields = Parameters<typeof input>[0];

interface Capped {
  readonly url: string;
  readonly clock: StandingClock;
  readonly provider: FakeProvider;
  close(): Promise<void>;
}

const CAPS = [
  { name: 'MAX_CREATES_PER_MINUTE', windowS: 60 },
  { name: 'MAX_CREATES_PER_DAY', windowS: 86_400 },
];

/** A gateway whose time stands still, and a provider that takes everything. */
async function start(env: Env, options: { clock?: StandingClock; dataDir?: string } = {}): Promise<Capped> {
  const { clock = createStandingClock(), dataDir = await quickDir() } = options;
  const provider = await startFakeProvider();
  provider.always('createTask', ({ order }) => created(`kie-${order}`));
  provider.always('recordInfo', notVisibleYet());
  const { gateway } = await startWithProvider({
    provider,
    dataDir,
    env: { API_KEYS, KIE_CREATES_PER_10S: '1000', ...env },
    overrides: { clock },
  });
  return { url: gateway.graphqlUrl, clock, provider, close: () => gateway.close() };
}

function ask({ url }: Capped, owner: Owner, fields: Fields = {}) {
  return http.ask(url, { query: CREATE, variables: { input: input(fields) } }, owner);
}

/** Creates what must be answered without an error. */
async function create(capped: Capped, owner: Owner, fields: Fields = {}): Promise<ApiCreateResult> {
  const { data, errors } = await ask(capped, owner, fields);
  expect(errors).toEqual([]);
  return (data as { createImageToVideo: ApiCreateResult }).createImageToVideo;
}

async function countOf({ url }: Capped, owner: Owner): Promise<number> {
  const { body } = await graphql(url, TASKS, { first: 100 }, bearer(owner));
  return dataOf(body).tasks.edges.length;
}

describe.each(CAPS)('$name', ({ name, windowS }) => {
  it('refuses one task more over each door, stores nothing, and sends nothing', async () => {
    const capped = await start({ [name]: '2' });
    await create(capped, 'ann');
    await create(capped, 'ann');
    for (const door of ASK_DOORS) {
      const told = await door.ask(capped.url, { query: CREATE, variables: { input: input() } }, 'ann');
      expect(refusalOf(told)).toEqual(tooFast(door, windowS));
    }
    expect([await countOf(capped, 'ann'), capped.provider.requests('createTask').length]).toEqual([2, 2]);
  });

  it('takes a task again when the oldest has left the window, and no second one', async () => {
    const capped = await start({ [name]: '2' });
    await create(capped, 'ann');
    capped.clock.advance(10_000);
    await create(capped, 'ann');
    capped.clock.advance((windowS - 10) * 1000 - 1);
    expect(refusalOf(await ask(capped, 'ann'))).toMatchObject({ extensions: { retryAfter: 1 } });
    capped.clock.advance(1);
    await create(capped, 'ann');
    expect(refusalOf(await ask(capped, 'ann'))).toMatchObject({ extensions: { retryAfter: 10 } });
  });

  it('still answers a twin with its task, and another wish under its key with a conflict', async () => {
    const capped = await start({ [name]: '1' });
    const first = await create(capped, 'ann', { idempotencyKey: 'key' });
    expect(await create(capped, 'ann', { idempotencyKey: 'key' })).toEqual(first);
    const other = await create(capped, 'ann', { idempotencyKey: 'key', prompt: 'another wish' });
    expect(other).toMatchObject({ __typename: 'IdempotencyConflictError' });
    const unknown = await ask(capped, 'ann', { idempotencyKey: 'another key' });
    expect(refusalOf(unknown)).toMatchObject({ extensions: { code: 'RATE_LIMITED' } });
  });

  it('counts no wish that is invalid, nothing of another owner, and what the provider refused, which it was asked for', async () => {
    const capped = await start({ [name]: '1' });
    expect(await create(capped, 'ann', { prompt: '' })).toMatchObject({ __typename: 'ValidationError' });
    capped.provider.answer('createTask', refused(402, 'top up'));
    expect(await create(capped, 'ann')).toMatchObject({ __typename: 'ProviderError' });
    expect(refusalOf(await ask(capped, 'ann', { idempotencyKey: 'key' }))).toMatchObject({
      extensions: { code: 'RATE_LIMITED' },
    });
    expect(await create(capped, 'bob')).toMatchObject({ __typename: 'CreateImageToVideoSuccess' });
    // The key of the refused wish is free.
    capped.clock.advance(windowS * 1000);
    const later = await create(capped, 'ann', { idempotencyKey: 'key', prompt: 'another wish' });
    expect(later).toMatchObject({ task: { prompt: 'another wish' } });
  });

  it('takes exactly as many of what comes at the same moment', async () => {
    const capped = await start({ [name]: '5' });
    const told = await Promise.all(Array.from({ length: 20 }, () => ask(capped, 'ann')));
    expect(told.filter(({ errors }) => errors.length === 0)).toHaveLength(5);
    expect([await countOf(capped, 'ann'), capped.provider.requests('createTask').length]).toEqual([5, 5]);
  });

  it('is not forgotten over a restart', async () => {
    const clock = createStandingClock();
    const dataDir = await quickDir();
    const first = await start({ [name]: '1' }, { clock, dataDir });
    await create(first, 'ann');
    await first.close();
    const second = await start({ [name]: '1' }, { clock, dataDir });
    expect(refusalOf(await ask(second, 'ann'))).toMatchObject({ extensions: { retryAfter: windowS } });
  });
});

it('without caps an owner may create as many tasks as it likes', async () => {
  const capped = await start({});
  await Promise.all(Array.from({ length: 30 }, () => create(capped, 'ann')));
  expect(await countOf(capped, 'ann')).toBe(30);
});

it('an owner who has reached both caps is told when the last of them lets a task through', async () => {
  const capped = await start({ MAX_CREATES_PER_MINUTE: '1', MAX_CREATES_PER_DAY: '1' });
  await create(capped, 'ann');
  expect(refusalOf(await ask(capped, 'ann'))).toMatchObject({ extensions: { retryAfter: 86_400 } });
});

const QUERY = { query: '{ __typename }' };
const DATA = { __typename: 'Query' };

const startLimited = (env: Env) => startGateway({ env: { API_KEYS, ...env } });

describe('MAX_REQUESTS_PER_MINUTE', () => {
  it('counts what an owner asks over HTTP, SSE and WebSocket together, and refuses the next over each, and no other owner', async () => {
    const pass = stopTheClock();
    const { graphqlUrl } = await startLimited({ MAX_REQUESTS_PER_MINUTE: '3' });
    const isTaken = async (owner: Owner): Promise<void> => {
      for (const { ask } of ASK_DOORS) expect((await ask(graphqlUrl, QUERY, owner)).data).toEqual(DATA);
    };
    const isRefused = async (seconds: number): Promise<void> => {
      for (const door of ASK_DOORS)
        expect(refusalOf(await door.ask(graphqlUrl, QUERY, 'ann'))).toEqual(tooFast(door, seconds));
    };
    await isTaken('ann');
    await isRefused(60);
    await isTaken('bob');
    pass(59_999);
    await isRefused(1);
    pass(1);
    await isTaken('ann');
  });

  it('counts neither who is not let in nor what nobody asked an operation for', async () => {
    stopTheClock();
    const { graphqlUrl, url } = await startLimited({ MAX_REQUESTS_PER_MINUTE: '1' });
    const headers = { authorization: 'Bearer a-key-of-nobody' };
    expect((await fetch(graphqlUrl, { headers })).status).toBe(401);
    for (const path of ['/health', '/ready', '/nothing-here'])
      await (await fetch(url + path, { headers: bearer('ann') })).text();
    const socket = await openGraphqlWs(graphqlUrl, { connectionParams: bearer('ann') });
    expect(await socket.subscribe(QUERY).data()).toEqual(DATA);
    expect(await socket.subscribe(QUERY).errors()).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
  });

  it('refuses an operation over a socket and leaves those that run on it alone', async () => {
    stopTheClock();
    const { app, graphqlUrl } = await startLimited({ MAX_REQUESTS_PER_MINUTE: '1' });
    const socket = await openGraphqlWs(graphqlUrl, { connectionParams: bearer('ann') });
    socket.subscribe({ query: 'subscription { tasksUpdated { id } }' });
    expect(await socket.subscribe(QUERY).errors()).toHaveLength(1);
    await eventually('the first one runs', () => app.stats().listeners === 1);
    expect(app.stats().sockets).toBe(1);
  });

  it('is off when unset', async () => {
    stopTheClock();
    const { graphqlUrl } = await startLimited({
      MAX_OPERATIONS_PER_SECOND: '1000',
      MAX_SUBSCRIPTIONS_PER_SOCKET: '1000',
    });
    const socket = await openGraphqlWs(graphqlUrl, { connectionParams: bearer('ann') });
    const answers = Array.from({ length: 700 }, () => socket.subscribe(QUERY).data());
    expect(await Promise.all(answers)).toEqual(answers.map(() => DATA));
  });
});

const OPERATION = '{"query":"{ __typename }"}';
/** So many of one address may wait until it is known who sends them. */
const PLACES = 64;

/** A token whose key its issuer has to be asked for. */
const TOKEN = [{ alg: 'RS256', kid: 'x' }, { sub: 'ada' }, 'signature']
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.');

/** An issuer that answers when the test says so; `asked` is when it is asked first. */
async function startSlowIssuer() {
  const asked = deferred('the issuer to be asked');
  const answered = deferred();
  const server = createServer((_, response) => {
    asked.resolve();
    void answered.promise.then(() => response.writeHead(200).end('{"keys":[]}'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd(() => {
    answered.resolve();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  return { url, asked: asked.promise, answer: answered.resolve };
}

async function startWithIssuer(env: Readonly<Record<string, string>>) {
  const issuer = await startSlowIssuer();
  const provider = await startFakeProvider();
  const gateway = await startGateway({ provider, env: { API_KEYS, JWT_JWKS_URL: issuer.url, ...env } });
  const post = (authorization: string, ...lines: readonly string[]) =>
    sendRaw(
      gateway.app.port,
      postOf('/graphql', OPERATION, 'Host: x', `Authorization: ${authorization}`, ...lines),
    );
  return { issuer, post };
}

test('of one address a few dozen requests wait until it is known who sends them, and others are not held up', async () => {
  const { issuer, post } = await startWithIssuer({ TRUSTED_PROXIES: '127.0.0.1' });
  const from = (address: string) => `X-Forwarded-For: ${address}`;
  const stranger = from('203.0.113.1');
  const sent = Array.from({ length: PLACES + 6 }, () => post(`Bearer ${TOKEN}`, stranger));
  const refused = await Promise.race(sent);
  expect(refused).toMatchObject({ status: 429, head: expect.stringMatching(/^retry-after: 1$/im) as string });
  expect(JSON.parse(refused.body)).toMatchObject({ status: 429, errors: [expect.anything()] });
  expect((await post(bearer('ann').authorization, from('203.0.113.2'))).status).toBe(200);
  issuer.answer();
  const statuses = (await Promise.all(sent)).map(({ status }) => status).toSorted((a, b) => a - b);
  expect(statuses).toEqual([...Array<number>(PLACES).fill(401), ...Array<number>(6).fill(429)]);
  // Their places are free again.
  expect((await post(bearer('ann').authorization, stranger)).status).toBe(200);
});

test('an address behind which many clients may be has no such limit', async () => {
  const { issuer, post } = await startWithIssuer({});
  const waiting = Array.from({ length: 2 * PLACES }, () => post(`Bearer ${TOKEN}`));
  await issuer.asked;
  expect((await post(bearer('ann').authorization)).status).toBe(200);
  issuer.answer();
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(waiting.map(() => 401));
});
