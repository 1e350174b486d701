import { expect, test } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { credit } from '../kit/kie.ts';
import { openGraphqlWs, GraphqlWsClosedError } from '../kit/graphql-ws.ts';
import { knock, knockWith, LET_IN, startGuarded, socketEnd, REFUSED } from './knock.ts';
import { stopTheClock } from '../kit/clock.ts';
import { http, API_KEYS, bearer } from '../limits/asking.ts';

const QUERY = { query: '{ __typename }' };
const TOLERATED = 300;
const METRICS_TOKEN = 'token-of-the-metrics';

/** Tries so many keys that are nobody's from one address, the last of which is told what this returns. */
async function guess(url: string, count: number, from: Readonly<Record<string, string>> = {}) {
  let last: Response | undefined;
  for (let tried = 0; tried < count; tried += 1) {
    const headers = { 'content-type': 'application/json', authorization: `Bearer guess-${tried}`, ...from };
    last = await fetch(url, { method: 'POST', headers, body: JSON.stringify(QUERY) });
    await last.arrayBuffer();
  }
  return { status: last?.status, retryAfter: last?.headers.get('retry-after') };
}

test('after some hundred wrong keys an address gets 429 for further ones until the minute is over', async () => {
  const pass = stopTheClock();
  const provider = await startFakeProvider();
  provider.always('credit', credit(42));
  const gateway = await startGateway({ provider, env: { API_KEYS, METRICS_TOKEN } });
  expect(await guess(gateway.graphqlUrl, TOLERATED)).toEqual({ status: 401, retryAfter: null });
  expect(await guess(gateway.graphqlUrl, 1)).toEqual({ status: 429, retryAfter: '60' });
  expect(await knockWith(gateway, 'wrong')).toEqual({ http: 429, sse: 429, socket: 1013 });
  const headers = { authorization: 'Bearer wrong', 'content-type': 'image/png' };
  expect((await fetch(`${gateway.url}/uploads`, { method: 'POST', headers, body: 'x' })).status).toBe(429);
  expect((await fetch(`${gateway.url}/metrics`, { headers })).status).toBe(429);

  // A right one passes all the same, and who names none is told how to.
  expect(await knock(gateway, bearer('ann').authorization)).toEqual(LET_IN);
  const asScraper = { authorization: `Bearer ${METRICS_TOKEN}` };
  expect((await fetch(`${gateway.url}/metrics`, { headers: asScraper })).status).toBe(200);
  expect(await knock(gateway)).toEqual(REFUSED);

  pass(60_000);
  expect(await guess(gateway.graphqlUrl, 1)).toEqual({ status: 401, retryAfter: null });
});

test('wrong keys over sockets and HTTP share a count', async () => {
  stopTheClock();
  const gateway = await startGuarded({ API_KEYS });
  await guess(gateway.graphqlUrl, TOLERATED - 1);
  const connectionParams = { authorization: 'Bearer wrong' };
  expect(await socketEnd(gateway.graphqlUrl, { connectionParams })).toBe(4403);
  await expect(openGraphqlWs(gateway.graphqlUrl, { connectionParams })).rejects.toThrow(
    new GraphqlWsClosedError({ code: 1013, reason: 'Too many wrong keys or tokens came from this address.' }),
  );
});

test('an IPv6 address shares the count of its network, and of no other', async () => {
  stopTheClock();
  const gateway = await startGuarded({ API_KEYS, TRUSTED_PROXIES: '127.0.0.1' });
  const from = (address: string) => ({ 'x-forwarded-for': address });
  for (let host = 1; host <= 10; host += 1)
    await guess(gateway.graphqlUrl, TOLERATED / 10, from(`2001:db8:1:2:${host}::${host}`));
  expect((await guess(gateway.graphqlUrl, 1, from('2001:db8:1:2:ffff::'))).status).toBe(429);
  expect((await guess(gateway.graphqlUrl, 1, from('2001:db8:1:3::1'))).status).toBe(401);
  expect((await http.ask(gateway.graphqlUrl, QUERY, 'ann')).status).toBe(200);
});
