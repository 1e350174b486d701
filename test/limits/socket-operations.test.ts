import { describe, expect, it, vi } from 'vitest';
import { eventually } from '../websocket/eventually.ts';
import { TASKS_UPDATED } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../kit/graphql-ws.ts';
import { stopTheClock } from '../kit/clock.ts';

const QUERY = { query: '{ __typename }' };
const DATA = { __typename: 'Query' };

async function start(env: Readonly<Record<string, string>>): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider(), env });
}

/** Begins so many operations that run until they are stopped. */
async function occupy({ app }: Gateway, client: GraphqlWsClient, count: number) {
  const begun = Array.from({ length: count }, () => client.subscribe({ query: TASKS_UPDATED }));
  await eventually(`${count} operations run`, () => app.stats().listeners === count);
  return begun;
}

describe.each([
  { value: 'unset', env: {}, limit: 100 },
  { value: 'set', env: { MAX_SUBSCRIPTIONS_PER_SOCKET: '2' }, limit: 2 },
])('MAX_SUBSCRIPTIONS_PER_SOCKET, $value,', ({ env, limit }) => {
  it('refuses one operation more, of any kind, until one is completed', async () => {
    const gateway = await start({ MAX_OPERATIONS_PER_SECOND: '1000', ...env });
    const client = await openGraphqlWs(gateway.graphqlUrl);
    const [first] = await occupy(gateway, client, limit);

    for (const query of [TASKS_UPDATED, '{ __typename }'])
      expect(await client.subscribe({ query }).errors()).toEqual([
        {
          message: `More than ${limit} operations at a time on this socket.`,
          extensions: {
            code: 'TOO_MANY_SUBSCRIPTIONS',
            hint: 'Complete some first, follow all tasks with one tasksUpdated, or open another socket.',
          },
        },
      ]);
    expect(gateway.app.stats().listeners).toBe(limit);

    first?.stop();
    expect(await client.subscribe(QUERY).data()).toEqual(DATA);
  });

  it('counts each socket for itself', async () => {
    const gateway = await start({ MAX_OPERATIONS_PER_SECOND: '1000', ...env });
    await occupy(gateway, await openGraphqlWs(gateway.graphqlUrl), limit);
    const other = await openGraphqlWs(gateway.graphqlUrl);
    expect(await other.subscribe(QUERY).data()).toEqual(DATA);
  });
});

describe.each([
  { value: 'unset', env: {}, limit: 50 },
  { value: 'set', env: { MAX_OPERATIONS_PER_SECOND: '2' }, limit: 2 },
])('MAX_OPERATIONS_PER_SECOND, $value,', ({ env, limit }) => {
  it('refuses one operation more, says when to come back, and takes it then', async () => {
    const pass = stopTheClock();
    const client = await openGraphqlWs((await start(env)).graphqlUrl);
    for (let sent = 0; sent < limit; sent += 1) expect(await client.subscribe(QUERY).data()).toEqual(DATA);

    const refusal = {
      message: 'Too many operations on this socket.',
      extensions: { code: 'RATE_LIMITED', hint: 'Try again in 1 s.', retryAfter: 1 },
    };
    expect(await client.subscribe(QUERY).errors()).toEqual([refusal]);
    pass(999);
    expect(await client.subscribe(QUERY).errors()).toEqual([refusal]);
    pass(1);
    expect(await client.subscribe(QUERY).data()).toEqual(DATA);
  });

  it('takes the next one in time also when the clock is set back', async () => {
    const pass = stopTheClock();
    const client = await openGraphqlWs((await start(env)).graphqlUrl);
    for (let sent = 0; sent < limit; sent += 1) await client.subscribe(QUERY).data();
    vi.setSystemTime(Date.now() - 3_600_000);
    expect((await client.subscribe(QUERY).errors())[0]?.extensions?.['retryAfter']).toBe(1);
    pass(1000);
    expect(await client.subscribe(QUERY).data()).toEqual(DATA);
  });

  it('counts each socket for itself', async () => {
    stopTheClock();
    const { graphqlUrl } = await start(env);
    const client = await openGraphqlWs(graphqlUrl);
    for (let sent = 0; sent < limit; sent += 1) await client.subscribe(QUERY).data();
    const other = await openGraphqlWs(graphqlUrl);
    expect(await other.subscribe(QUERY).data()).toEqual(DATA);
    expect(await client.subscribe(QUERY).errors()).toHaveLength(1);
  });
});

describe('a socket that floods the gateway with messages', () => {
  it('is closed with 4429 at the twentieth message for each allowed operation and one more, and no other is', async () => {
    stopTheClock();
    const { graphqlUrl } = await start({ MAX_OPERATIONS_PER_SECOND: '2' });
    const other = await openGraphqlWs(graphqlUrl);
    const client = await openGraphqlWs(graphqlUrl);
    const isPong = ({ type }: { readonly type: string }): boolean => type === 'pong';
    // connection_init was the first.
    for (let sent = 2; sent <= 40; sent += 1) {
      client.send({ type: 'ping' });
      await client.message(isPong);
    }
    client.send({ type: 'ping' });
    expect(await client.closed).toEqual({ code: 4429, reason: 'Too many messages' });
    expect(await other.subscribe(QUERY).data()).toEqual(DATA);
  });
});
