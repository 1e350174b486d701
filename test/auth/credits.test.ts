import { describe, expect, it } from 'vitest';
import { ACCOUNT } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { credit } from '../kit/kie.ts';
import { SECRET, signWith } from './tokens.ts';

const CALLERS = [
  ['an API key', { API_KEYS: 'ada:key-of-ada' }, () => Promise.resolve('key-of-ada')],
  ['a token', { JWT_SECRET: SECRET }, () => signWith(SECRET)],
] as const;

/** The balance as both doors show it. */
async function balances(url: string, headers: Readonly<Record<string, string>>) {
  const { body } = await graphql(url, ACCOUNT, {}, headers);
  const socket = await openGraphqlWs(url, { connectionParams: headers });
  const overSocket = await socket.subscribe({ query: ACCOUNT }).data();
  return [dataOf(body), overSocket].map(({ account }) => account.creditsRemaining);
}

describe("the balance of the provider's account", () => {
  it.each(CALLERS)(
    'is hidden from a client with %s, and the provider is not queried',
    async (_, env, make) => {
      const provider = await startFakeProvider();
      const gateway = await startGateway({ provider, env });
      const headers = { authorization: `Bearer ${await make()}` };
      expect(await balances(gateway.graphqlUrl, headers)).toEqual([null, null]);
      expect(provider.requests()).toEqual([]);
    },
  );

  it.each(CALLERS)('is shown to a client with %s if SHOW_CREDITS is set', async (_, env, make) => {
    const provider = await startFakeProvider();
    provider.always('credit', credit(60.62));
    const gateway = await startGateway({ provider, env: { ...env, SHOW_CREDITS: 'true' } });
    const headers = { authorization: `Bearer ${await make()}` };
    expect(await balances(gateway.graphqlUrl, headers)).toEqual([60.62, 60.62]);
  });

  it.each([{}, { SHOW_CREDITS: 'false' }])('is shown to everyone without authentication: %j', async (env) => {
    const provider = await startFakeProvider();
    provider.always('credit', credit(60.62));
    const gateway = await startGateway({ provider, env });
    expect(await balances(gateway.graphqlUrl, {})).toEqual([60.62, 60.62]);
  });
});
