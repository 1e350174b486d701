import { describe, expect, it } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, startGateway } from '../kit/gateway.ts';
import { graphql, type GraphqlResult } from '../kit/graphql.ts';
import { callbackSuccess, deliverCallback, sign, created } from '../kit/kie.ts';
import { createSseParser } from '../kit/sse.ts';
import { createTask, findTask } from './client.ts';

const SUBSCRIPTION = 'subscription ($after: SafeInt) { tasksUpdated(after: $after) { id } }';
const LARGEST = Number.MAX_SAFE_INTEGER;
const HOW = 'A SafeInt is a whole number between -(2^53 - 1) and 2^53 - 1, without quotes.';

/** Subscribes with a body as it is, for numbers that JSON.stringify would not write; returns the first event. */
async function subscribe(url: string, body: string): Promise<GraphqlResult<unknown>> {
  const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
  const response = await fetch(url, { method: 'POST', headers, body });
  const [first] = createSseParser()(await response.text());
  return JSON.parse(first?.data ?? '') as GraphqlResult<unknown>;
}

describe('DateTime', () => {
  it('is RFC 3339 in UTC with milliseconds, by the clock of the gateway', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const before = Date.now();
    const { id } = await createTask(gateway);
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
    const task = await findTask(gateway, id);
    const times = [task?.createdAt, task?.updatedAt, task?.completedAt, task?.videos[0]?.expiresAt];
    for (const time of times) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

    const [createdAt = 0, updatedAt, completedAt = 0, expiresAt] = times.map((time) =>
      Date.parse(time ?? ''),
    );
    expect(createdAt).toBeGreaterThanOrEqual(before);
    expect(completedAt).toBeGreaterThanOrEqual(createdAt);
    expect(completedAt).toBeLessThanOrEqual(Date.now());
    expect(updatedAt).toBe(completedAt);
    expect(expiresAt).toBe(completedAt + 24 * 60 * 60 * 1000);
  });
});

describe('SafeInt', () => {
  it('is written as a JSON number', async () => {
    const gateway = await startGateway({ provider: await startFakeProvider() });
    const { body } = await graphql(gateway.graphqlUrl, '{ tasks { revision } }');
    expect(body).toEqual({ data: { tasks: { revision: 0 } } });
  });

  it.each(['"5"', '""', '1.5', '9007199254740992', '-9007199254740992', '1e400', 'true', '[5]', '{}'])(
    'is not %s, neither as a variable nor as a literal',
    async (value) => {
      const gateway = await startGateway({ provider: await startFakeProvider() });
      const byVariable = `{"query":${JSON.stringify(SUBSCRIPTION)},"variables":{"after":${value}}}`;
      const literal = SUBSCRIPTION.replace(' ($after: SafeInt)', '').replace('$after', value);
      for (const body of [byVariable, JSON.stringify({ query: literal })]) {
        expect(await subscribe(gateway.graphqlUrl, body)).toEqual({
          errors: [
            {
              message: expect.stringContaining(HOW) as string,
              locations: [expect.any(Object) as object],
              extensions: expect.any(Object) as object,
            },
          ],
        });
      }
    },
  );

  it('is not a float without a fraction either, when it is a literal', async () => {
    const gateway = await startGateway({ provider: await startFakeProvider() });
    const query = 'subscription { tasksUpdated(after: 5.0) { id } }';
    const { body } = await graphql(gateway.graphqlUrl, query);
    expect(body.errors?.[0]?.message).toContain(HOW);
  });

  it.each([LARGEST, -LARGEST])('may be %d: then the field itself decides', async (after) => {
    const gateway = await startGateway({ provider: await startFakeProvider() });
    const literal = SUBSCRIPTION.replace(' ($after: SafeInt)', '').replace('$after', String(after));
    for (const [query, variables] of [
      [SUBSCRIPTION, { after }],
      [literal, {}],
    ] as const) {
      const { errors } = await subscribe(gateway.graphqlUrl, JSON.stringify({ query, variables }));
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
      expect(errors?.[0]?.message).toContain(`after: ${after} is not a revision`);
    }
  });
});
