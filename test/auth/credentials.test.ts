import { describe, expect, it } from 'vitest';
import { countedAddress } from '../../src/limits/address.ts';
import { stopTheClock } from '../kit/clock.ts';
import { TASKS } from '../kit/documents.ts';
import { dataOf, graphql } from '../kit/graphql.ts';
import { GraphqlWsClosedError, openGraphqlWs } from '../kit/graphql-ws.ts';
import { oncePerFile } from '../kit/waits.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { knock, knockWith, LET_IN, REFUSED, socketEnd, startGuarded, startIssuer } from './knock.ts';
import { createSigningKey, SECRET, signWith } from './tokens.ts';

const ADA = 'key-of-ada-0123456789';
const ADAS_OTHER = 'another-key-of-ada';
const BEN = 'key:of.ben';
const API_KEYS = `ada:${ADA},ada:${ADAS_OTHER},ben:${BEN}`;
const ORIGIN = 'https://app.example.com';
const METRICS_TOKEN = 'token-of-the-metrics';

/** With one task of each of three owners. */
const shared = oncePerFile(async () => {
  const env = { API_KEYS, ALLOWED_ORIGINS: ORIGIN };
  const { gateway, store } = await startHeldGateway({ env });
  for (const owner of ['ada', 'ben', 'anonymous']) await addTask(store, { owner, prompt: owner });
  return gateway;
});

/** The owners whose tasks a socket sees, which was opened with these. */
async function ownersSeen(connectionParams: object, headers: Readonly<Record<string, string>> = {}) {
  const { graphqlUrl } = await shared();
  const socket = await openGraphqlWs(graphqlUrl, { connectionParams: { ...connectionParams }, headers });
  const { tasks } = await socket.subscribe({ query: TASKS }).data();
  return tasks.edges.map(({ node }) => node.prompt);
}

describe('an API key', () => {
  it.each([
    ['ada', ADA],
    ['ada', ADAS_OTHER],
    ['ben', BEN],
  ])('opens every door to its owner, %s, and shows the tasks of nobody else: %s', async (owner, key) => {
    const gateway = await shared();
    expect(await knockWith(gateway, key)).toEqual(LET_IN);
    const headers = { authorization: `Bearer ${key}` };
    const { tasks } = dataOf((await graphql(gateway.graphqlUrl, TASKS, {}, headers)).body);
    expect(tasks.edges.map(({ node }) => node.prompt)).toEqual([owner]);
    expect(await ownersSeen(headers)).toEqual([owner]);
  });

  it.each([
    ...[undefined, 'Bearer', 'Bearer  ', `Basic ${ADA}`, `Bearer${ADA}`, `x Bearer ${ADA}`],
    ...[`Bearer ${ADA}0`, `Bearer ${ADA.slice(0, -1)}`, `Bearer ${ADA.toUpperCase()}`],
    ...[`Bearer ada:${ADA}`, `Bearer ${ADA},${ADAS_OTHER}`, `Bearer ${ADA} ${ADAS_OTHER}`],
  ])('is refused at every door as "%s"', async (authorization) => {
    expect(await knock(await shared(), authorization)).toEqual(REFUSED);
  });

  it.each([`bEaReR   ${ADA} `, ADA])('opens every door as "%s"', async (authorization) => {
    expect(await knock(await shared(), authorization)).toEqual(LET_IN);
  });

  it.each([
    ['a secret', async () => ({ env: { JWT_SECRET: SECRET }, token: await signWith(SECRET) })],
    [
      "an issuer's keys",
      async () => {
        const key = await createSigningKey();
        return { env: { JWT_JWKS_URL: (await startIssuer([key])).jwksUrl }, token: await key.sign() };
      },
    ],
  ] as const)('works beside tokens, with %s, even if it looks like a token', async (_, make) => {
    const dotted = 'abcdefgh.ijklmnop.qrstuvwx';
    const { env, token } = await make();
    const gateway = await startGuarded({ API_KEYS: `ada:key-of-ada,ben:${dotted}`, ...env });
    for (const credential of ['key-of-ada', dotted, token])
      expect(await knockWith(gateway, credential)).toEqual(LET_IN);
    for (const credential of ['key-of-nobody', `${dotted}y`, `${token.slice(0, -5)}AAAAA`])
      expect(await knockWith(gateway, credential)).toEqual(REFUSED);
  });
});

describe('a 401 response', () => {
  it.each([
    ['a wrong key', { authorization: `Bearer ${ADA}9` }],
    ['no key', {}],
  ])('to %s has a code, a hint, headers for an allowed page, and nothing of the key', async (_, given) => {
    const { graphqlUrl } = await shared();
    const answer = await graphql(graphqlUrl, '{ __typename }', {}, { ...given, origin: ORIGIN });
    expect(answer.status).toBe(401);
    const hint = expect.stringContaining('Authorization: Bearer') as string;
    expect(answer.body).toMatchObject({
      status: 401,
      errors: [
        {
          message: expect.not.stringContaining('Send') as string,
          extensions: { code: 'UNAUTHENTICATED', hint },
        },
      ],
    });
    expect(JSON.stringify(answer.body)).not.toContain(ADA);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'www-authenticate': 'Bearer',
      'content-type': expect.stringMatching(/^application\/graphql-response\+json/) as string,
      'access-control-allow-origin': ORIGIN,
      vary: expect.stringContaining('Origin') as string,
    });
  });

  it.each(['', 'no JSON', '{"query":"{"}'])('is sent before the body is read: %j', async (body) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch((await shared()).graphqlUrl, { method: 'POST', headers, body });
    expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining('UNAUTHENTICATED')]);
  });

  it('is sent for a GET query that a browser opens, and not for its page or a CORS preflight', async () => {
    const { graphqlUrl } = await shared();
    const headers = { origin: ORIGIN, 'access-control-request-method': 'POST' };
    const preflight = await fetch(graphqlUrl, { method: 'OPTIONS', headers });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, ORIGIN]);
    const asBrowser = { headers: { accept: 'text/html' } };
    expect(await (await fetch(graphqlUrl, asBrowser)).text()).toMatch(/^\s*<!doctype html>/);
    const gateway = await startGuarded({ API_KEYS, GRAPHIQL: 'false' });
    const answer = await fetch(`${gateway.graphqlUrl}?query={__typename}`, asBrowser);
    expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining('UNAUTHENTICATED')]);
  });
});

describe('a socket', () => {
  const asAda = { authorization: `Bearer ${ADA}` };
  const asBen = { authorization: `Bearer ${BEN}` };
  const wrong = { authorization: 'Bearer hush-hush' };

  it.each<[how: string, params: object, headers?: Readonly<Record<string, string>>]>([
    ['the member AUTHORIZATION', { AUTHORIZATION: asAda.authorization, other: 1 }],
    ['the member Authorization', { Authorization: asAda.authorization }],
    ['the headers of an HTTP request', { headers: { Authorization: asAda.authorization } }],
    ['those beside an empty text', { authorization: '', headers: asAda }],
    ['a key without "Bearer"', { authorization: ADA }],
    ['the header of the upgrade', {}, asAda],
    ['the header of the upgrade beside a blank text', { authorization: ' ' }, asAda],
    ['connection_init before the header of the upgrade', asAda, asBen],
  ])('authenticates by %s', async (_, params, headers) => {
    expect(await ownersSeen(params, headers)).toEqual(['ada']);
  });

  it('authenticates by the header of the upgrade where connection_init has no payload', async () => {
    expect(await socketEnd((await shared()).graphqlUrl, { headers: asAda })).toBe('open');
  });

  it.each<[what: string, params: Readonly<Record<string, unknown>> | undefined, header?: object]>([
    ['no payload', undefined],
    ['the key under another name', { token: ADA, apiKey: ADA, 'x-authorization': ADA }],
    ['the key in another member', { auth: asAda }],
    ['a number', { authorization: 1 }],
    ['null', { authorization: null }],
    ['a list', { authorization: [ADA] }],
    ['an object', { authorization: { toString: ADA } }],
    ['a wrong key, whatever the header of the upgrade', wrong, asAda],
    ['a wrong header of the upgrade', undefined, wrong],
  ])('with %s is closed with 4403', async (_, connectionParams, header) => {
    const headers = { ...header };
    expect(await socketEnd((await shared()).graphqlUrl, { connectionParams, headers })).toBe(4403);
  });

  it.each([
    ['nothing', {}, 'No API key or token was sent.'],
    ['an empty text', { authorization: '' }, 'No API key or token was sent.'],
    [
      'another scheme',
      { authorization: 'Basic hush-hush' },
      'Authorization must have the form "Bearer <API key or token>".',
    ],
    ['a wrong key', wrong, 'The API key is unknown.'],
  ])('with %s is told why, and nothing of its credentials', async (_, payload, says) => {
    const socket = await openGraphqlWs((await shared()).graphqlUrl, { init: false });
    socket.send({ type: 'connection_init', payload });
    const reason = `${says} Send {"authorization":"Bearer <key>"} in connection_init.`;
    expect(await socket.closed).toEqual({ code: 4403, reason });
  });

  it('begins no operation before connection_init', async () => {
    const socket = await openGraphqlWs((await shared()).graphqlUrl, { init: false, headers: asAda });
    socket.subscribe({ query: '{ __typename }' });
    expect(await socket.closed).toMatchObject({ code: 4401 });
  });

  it('that is refused does not count for its owner', async () => {
    const { graphqlUrl } = await startGuarded({ API_KEYS, MAX_SOCKETS_PER_OWNER: '1' });
    for (let time = 0; time < 3; time += 1)
      expect(await socketEnd(graphqlUrl, { connectionParams: wrong })).toBe(4403);
    expect(await socketEnd(graphqlUrl, { connectionParams: asAda })).toBe('open');
  });
});

describe('wrong keys', () => {
  const TOLERATED = 300;

  /** Tries so many keys that are nobody's from one address; what the last one is answered. */
  async function guess(url: string, count: number, from: Readonly<Record<string, string>> = {}) {
    const ask = async (tried: number) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer guess-${tried}`, ...from };
      const answer = await fetch(url, { method: 'POST', headers, body: '{"query":"{ __typename }"}' });
      await answer.arrayBuffer();
      return { status: answer.status, retryAfter: answer.headers.get('retry-after') };
    };
    await Promise.all(Array.from({ length: count - 1 }, (_, tried) => ask(tried)));
    return ask(count);
  }

  it('get 429 after some hundred from one address, over all doors, until the minute is over', async () => {
    const pass = stopTheClock();
    const gateway = await startGuarded({ API_KEYS, METRICS_TOKEN });
    const { graphqlUrl, url } = gateway;
    await guess(graphqlUrl, TOLERATED - 2);
    const connectionParams = { authorization: 'Bearer wrong' };
    expect(await socketEnd(graphqlUrl, { connectionParams })).toBe(4403);
    expect(await guess(graphqlUrl, 1)).toEqual({ status: 401, retryAfter: null });
    expect(await guess(graphqlUrl, 1)).toEqual({ status: 429, retryAfter: '60' });
    expect(await knockWith(gateway, 'wrong')).toEqual({ http: 429, sse: 429, socket: 1013 });
    await expect(openGraphqlWs(graphqlUrl, { connectionParams })).rejects.toThrow(
      new GraphqlWsClosedError({
        code: 1013,
        reason: 'Too many wrong keys or tokens came from this address.',
      }),
    );
    const headers = { authorization: 'Bearer wrong', 'content-type': 'image/png' };
    expect((await fetch(`${url}/uploads`, { method: 'POST', headers, body: 'x' })).status).toBe(429);
    expect((await fetch(`${url}/metrics`, { headers })).status).toBe(429);

    // A right one passes all the same, and who names none is told how to.
    expect(await knockWith(gateway, ADA)).toEqual(LET_IN);
    const asScraper = { authorization: `Bearer ${METRICS_TOKEN}` };
    expect((await fetch(`${url}/metrics`, { headers: asScraper })).status).toBe(200);
    expect(await knock(gateway)).toEqual(REFUSED);

    pass(60_000);
    expect(await guess(graphqlUrl, 1)).toEqual({ status: 401, retryAfter: null });
  });

  it('of an IPv6 address count for its network, and for no other', async () => {
    stopTheClock();
    const { graphqlUrl } = await startGuarded({ API_KEYS, TRUSTED_PROXIES: '127.0.0.1' });
    const from = (address: string) => ({ 'x-forwarded-for': address });
    for (let host = 1; host <= 3; host += 1)
      await guess(graphqlUrl, TOLERATED / 3, from(`2001:db8:1:2:${host}::${host}`));
    expect((await guess(graphqlUrl, 1, from('2001:db8:1:2:ffff::'))).status).toBe(429);
    expect((await guess(graphqlUrl, 1, from('2001:db8:1:3::1'))).status).toBe(401);
  });

  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::9]:50123', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['unknown', null],
    ['203.0.113.7, 203.0.113.8', null],
    ['', null],
  ])('from the address "%s" are counted as from %s', (text, counted) => {
    expect(countedAddress(text)).toBe(counted);
  });
});
