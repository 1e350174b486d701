import { expect, test } from 'vitest';
import { CREATE, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { created, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { readTask, submit } from '../webhooks/called-back.ts';
import { startAttacked } from './bystander.ts';

const STATUSES = [301, 302, 303, 307, 308];

/** A provider that sends everybody elsewhere, and what it is that would take the key, the prompt and the money there. */
async function startMisled(status: number) {
  const elsewhere = await startFakeProvider();
  const attacked = await startAttacked();
  const to = (path: string) => ({ status, headers: { location: `${elsewhere.url}${path}` } });
  return { ...attacked, elsewhere, to };
}

test.each(STATUSES)('a create call that is answered with a redirect %i goes nowhere else', async (status) => {
  const { elsewhere, gateway, provider, to, withstands } = await startMisled(status);
  provider.answer('createTask', to('/api/v1/jobs/createTask'));
  const { body } = await withstands(() => graphql(gateway.graphqlUrl, CREATE, { input: input() }));
  expect(dataOf(body).createImageToVideo).toMatchObject({ task: { state: 'SUBMITTING', videos: [] } });
  expect(provider.requests('createTask')).toHaveLength(1);
  expect(elsewhere.requests()).toEqual([]);
});

test.each(STATUSES)(
  'a query for a task that is answered with a redirect %i goes nowhere else',
  async (status) => {
    const { elsewhere, gateway, provider, to, withstands } = await startMisled(status);
    provider.answer('createTask', created('kie-1'));
    provider.always('recordInfo', to('/api/v1/jobs/recordInfo?taskId=kie-1'));
    const task = await submit(gateway);
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    // An unsigned callback has the provider asked.
    await withstands(async () => {
      expect((await deliverCallback(callback, callbackSuccess('kie-1'))).status).toBe(401);
      await provider.received('recordInfo');
    });
    expect(await readTask(gateway, task.id)).toEqual(task);
    expect((await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'))).status).toBe(
      200,
    );
    await gateway.close();
    expect(elsewhere.requests()).toEqual([]);
  },
);

test.each(STATUSES)(
  'a query for the balance that is answered with a redirect %i goes nowhere else',
  async (status) => {
    const { elsewhere, gateway, provider, to, withstands } = await startMisled(status);
    provider.always('credit', to('/api/v1/chat/credit'));
    const query = '{ account { creditsRemaining } }';
    const { body } = await withstands(() => graphql(gateway.graphqlUrl, query));
    expect(body).toEqual({ data: { account: { creditsRemaining: null } } });
    expect(elsewhere.requests()).toEqual([]);
  },
);
