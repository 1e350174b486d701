import { describe, expect, it } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { created, refused } from '../kit/kie.ts';
import { create, createTask, listTasks } from './client.ts';

/** The provider's code, ours, and whether the same input may succeed later. */
const REFUSALS = [
  [400, 'INVALID_INPUT', false],
  [401, 'UNAUTHORIZED', false],
  [402, 'INSUFFICIENT_CREDITS', false],
  [403, 'UNKNOWN', false],
  [404, 'NOT_FOUND', false],
  [405, 'UNKNOWN', false],
  [422, 'INVALID_INPUT', false],
  [433, 'QUOTA_EXCEEDED', false],
  [499, 'UNKNOWN', false],
  [501, 'GENERATION_FAILED', true],
  [505, 'FEATURE_DISABLED', false],
  [4030, 'UNKNOWN', false],
] as const;

describe.each(REFUSALS)('when the provider refuses with %i', (kieCode, code, retryable) => {
  it.each([
    ['HTTP 200', { http: 200 }],
    ['the HTTP status that matches', { http: kieCode === 4030 ? 403 : kieCode }],
  ])(`the mutation answers ${code} at once, under %s`, async (_, status) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const message = `No, because of ${kieCode}`;
    provider.answer('createTask', refused(kieCode, message, status));
    expect(await create(gateway)).toEqual({
      __typename: 'ProviderError',
      code,
      providerCode: String(kieCode),
      message,
      retryable,
    });
    expect(await listTasks(gateway)).toMatchObject({ edges: [], revision: 0 });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

describe('a refusal', () => {
  it('may write its code as a string', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', refused('402', 'Insufficient credits'));
    expect(await create(gateway)).toMatchObject({ code: 'INSUFFICIENT_CREDITS', providerCode: '402' });
  });

  it('may call its message otherwise', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', { body: { code: 402, message: 'Insufficient credits' } });
    expect(await create(gateway)).toMatchObject({ message: 'Insufficient credits' });
  });

  it.each([[{ code: 402 }], [{ code: 402, msg: null }], [{ code: 402, msg: '' }]])(
    'without a message still has one for people: %j',
    async (body) => {
      const provider = await startFakeProvider();
      const gateway = await startGateway({ provider });
      provider.answer('createTask', { body });
      expect(await create(gateway)).toMatchObject({ message: expect.stringContaining('402') as string });
    },
  );

  it('wins over the HTTP status, whatever that says', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', refused(402, 'Insufficient credits', { http: 500 }));
    expect(await create(gateway)).toMatchObject({ code: 'INSUFFICIENT_CREDITS' });
  });
});

it('a queue that is too long is RATE_LIMITED: nothing is stored, and it may succeed later', async () => {
  const provider = await startFakeProvider();
  const gateway = await startGateway({
    provider,
    env: { KIE_CREATES_PER_10S: '1', CREATE_WAIT_MS: '1' },
    overrides: { timings: { queueLimit: 15_000 } },
  });
  provider.always('createTask', created('kie-1'));
  await createTask(gateway);
  await provider.received('createTask');
  // One is sent; the next two wait their turn of 10.5 s each.
  const waiting = [await createTask(gateway), await createTask(gateway)];
  const { revision } = await listTasks(gateway);

  expect(await create(gateway)).toMatchObject({
    __typename: 'ProviderError',
    code: 'RATE_LIMITED',
    providerCode: null,
    retryable: true,
  });
  const list = await listTasks(gateway);
  expect(list.revision).toBe(revision);
  expect(list.edges).toHaveLength(1 + waiting.length);
});
