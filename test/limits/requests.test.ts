import { describe, expect, it } from 'vitest';
import { eventually } from '../websocket/eventually.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { API_KEYS, ASK_DOORS, bearer, http, refusalOf, tooFast } from './asking.ts';
import { stopTheClock } from '../kit/clock.ts';

const QUERY = { query: '{ __typename }' };
const DATA = { data: { __typename: 'Query' } };
const MINUTE = 60_000;

async function start(env: Readonly<Record<string, string>> = {}): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider(), env: { API_KEYS, ...env } });
}

describe('MAX_REQUESTS_PER_MINUTE', () => {
  it('counts an owner’s requests over HTTP, SSE and WebSocket together, and refuses the next over each', async () => {
    const pass = stopTheClock();
    const { graphqlUrl } = await start({ MAX_REQUESTS_PER_MINUTE: '3' });
    for (const { ask } of ASK_DOORS) expect((await ask(graphqlUrl, QUERY, 'ann')).result).toEqual(DATA);

    for (const { ask, name } of ASK_DOORS) {
      const status = name === 'WebSocket' ? null : 429;
      expect(refusalOf(await ask(graphqlUrl, QUERY, 'ann'))).toEqual(tooFast(status, 60));
    }
    pass(MINUTE - 1);
    for (const { ask, name } of ASK_DOORS) {
      const status = name === 'WebSocket' ? null : 429;
      expect(refusalOf(await ask(graphqlUrl, QUERY, 'ann'))).toEqual(tooFast(status, 1));
    }
    pass(1);
    for (const { ask } of ASK_DOORS) expect((await ask(graphqlUrl, QUERY, 'ann')).result).toEqual(DATA);
  });

  it('does not hold another owner up', async () => {
    stopTheClock();
    const { graphqlUrl } = await start({ MAX_REQUESTS_PER_MINUTE: '3' });
    for (let sent = 0; sent < 4; sent += 1) await http.ask(graphqlUrl, QUERY, 'ann');
    for (const { ask } of ASK_DOORS) expect((await ask(graphqlUrl, QUERY, 'bob')).result).toEqual(DATA);
  });

  it('counts neither who is not let in nor what nobody asked an operation for', async () => {
    stopTheClock();
    const { graphqlUrl, url } = await start({ MAX_REQUESTS_PER_MINUTE: '1' });
    const headers = { authorization: 'Bearer a-key-of-nobody' };
    expect((await fetch(graphqlUrl, { headers })).status).toBe(401);
    for (const path of ['/health', '/ready', '/nothing-here'])
      await (await fetch(url + path, { headers: bearer('ann') })).text();
    const socket = await openGraphqlWs(graphqlUrl, { connectionParams: bearer('ann') });
    expect(await socket.subscribe(QUERY).data()).toEqual(DATA.data);
    expect(await socket.subscribe(QUERY).errors()).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
  });

  it('refuses an operation over a socket and leaves those that run on it alone', async () => {
    stopTheClock();
    const { app, graphqlUrl } = await start({ MAX_REQUESTS_PER_MINUTE: '1' });
    const socket = await openGraphqlWs(graphqlUrl, { connectionParams: bearer('ann') });
    socket.subscribe({ query: 'subscription { tasksUpdated { id } }' });
    expect(await socket.subscribe(QUERY).errors()).toHaveLength(1);
    await eventually('the first one runs', () => app.stats().listeners === 1);
    expect(app.stats().sockets).toBe(1);
  });

  it('is off when unset', async () => {
    stopTheClock();
    const { graphqlUrl } = await start({
      MAX_OPERATIONS_PER_SECOND: '1000',
      MAX_SUBSCRIPTIONS_PER_SOCKET: '1000',
    });
    const socket = await openGraphqlWs(graphqlUrl, { connectionParams: bearer('ann') });
    const answers = Array.from({ length: 700 }, () => socket.subscribe(QUERY).data());
    expect(await Promise.all(answers)).toEqual(answers.map(() => DATA.data));
  });
});
