import { expect, test } from 'vitest';
import { API_KEYS, bearer, type Owner } from '../limits/asking.ts';
import { type ApiCreateResult, CANCEL, CREATE, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { refused } from '../kit/kie.ts';

/** A gateway whose queue is full with ten tasks, and from which nothing is sent: the provider puts everything off. */
async function start() {
  const provider = await startFakeProvider();
  provider.always('createTask', refused(429, 'slow down'));
  const { graphqlUrl } = await startGateway({
    provider,
    env: { API_KEYS, CREATE_WAIT_MS: '0', KIE_CREATES_PER_10S: '1' },
    overrides: { timings: { createWindow: 60_000, queueLimit: 10 * 60_000 } },
  });
  return {
    async create(owner: Owner): Promise<ApiCreateResult> {
      const { body } = await graphql(graphqlUrl, CREATE, { input: input() }, bearer(owner));
      return dataOf(body).createImageToVideo;
    },
    cancel: (owner: Owner, id: string) => graphql(graphqlUrl, CANCEL, { id }, bearer(owner)),
  };
}

/** Creates until one is refused; the ids of those that wait. */
async function fill(create: () => Promise<ApiCreateResult>): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const result = await create();
    if (result.__typename !== 'CreateImageToVideoSuccess') {
      expect(result).toMatchObject({ __typename: 'ProviderError', code: 'RATE_LIMITED' });
      return ids;
    }
    ids.push(result.task.id);
  }
}

test('an owner who fills the queue exhausts only its own share, and cancelling frees no other', async () => {
  const { cancel, create } = await start();
  const anns = await fill(() => create('ann'));
  expect(anns.length).toBeGreaterThanOrEqual(10);

  const bobs = await fill(() => create('bob'));
  expect(bobs.length).toBeGreaterThanOrEqual(5);
  expect(bobs.length).toBeLessThan(anns.length);
  expect(await create('ann')).toMatchObject({ __typename: 'ProviderError' });

  for (const id of anns.slice(1)) await cancel('ann', id);
  expect((await fill(() => create('ann'))).length).toBeLessThan(anns.length);
  expect(await create('bob')).toMatchObject({ __typename: 'ProviderError' });
  for (const id of bobs) await cancel('bob', id);
  expect(await create('bob')).toMatchObject({ __typename: 'CreateImageToVideoSuccess' });
});
