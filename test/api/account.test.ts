import { describe, expect, it } from 'vitest';
import { ACCOUNT } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { credit, refused } from '../kit/kie.ts';

async function creditsOf(gateway: Gateway): Promise<number | null> {
  const { body } = await graphql(gateway.graphqlUrl, ACCOUNT);
  return dataOf(body).account.creditsRemaining;
}

describe('account.creditsRemaining', () => {
  it.each([100, 60.62, 0, -3.5, 1_000_000])('is what the provider says: %d', async (amount) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('credit', credit(amount));
    expect(await creditsOf(gateway)).toBe(amount);
    expect((await provider.received('credit')).headers.authorization).toBe('Bearer test-key');
  });

  it('is asked for anew each time', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('credit', credit(100), credit(43));
    expect([await creditsOf(gateway), await creditsOf(gateway)]).toEqual([100, 43]);
  });

  it.each([
    ['refuses', refused(401, 'You do not have access permissions')],
    ['refuses with a matching status', refused(401, 'No', { http: 401 })],
    ['is under maintenance', refused(455, 'Maintenance')],
    ['has trouble', { status: 500, body: 'oops' }],
    ['says nothing', { body: '' }],
    ['says something that is no number', { body: { code: 200, msg: 'success', data: 'plenty' } }],
    ['leaves it out', { body: { code: 200, msg: 'success', data: null } }],
    ['hangs up', { reset: true }],
  ])('is null, and no error, when the provider %s', async (_, answer) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('credit', answer);
    expect(await creditsOf(gateway)).toBeNull();
  });

  it('is null when the provider cannot be reached', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    await provider.close();
    expect(await creditsOf(gateway)).toBeNull();
  });

  it('does not keep the rest of an answer waiting in vain: a null has its siblings', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('credit', refused(500, 'oops'));
    const { body } = await graphql(gateway.graphqlUrl, '{ account { creditsRemaining } tasks { revision } }');
    expect(body).toEqual({ data: { account: { creditsRemaining: null }, tasks: { revision: 0 } } });
  });
});
