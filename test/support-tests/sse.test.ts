import { expect, test } from 'vitest';
import type { Document } from '../kit/graphql.ts';
import { openSse } from '../kit/sse.ts';
import { startTinyApi } from './tiny-api.ts';

const WORD: Document<{ readonly word: string }> = 'subscription { word }';

test.each(['POST', 'GET'] as const)('results come over %s, and completion after them', async (method) => {
  const api = await startTinyApi();
  const subscription = await openSse(api.url, { query: WORD }, { method });

  api.push('first');
  expect((await subscription.data()).word).toBe('first');
  api.push('zweites ✓');
  expect(await subscription.next()).toEqual({ data: { word: 'zweites ✓' } });
  api.complete();

  await subscription.completed();
  await expect(subscription.next()).rejects.toThrow('the event stream was completed by the server');
});

test('a stream can be left, and the server learns of it', async () => {
  const api = await startTinyApi();
  const subscription = await openSse(api.url, { query: WORD });
  api.push('first');
  await subscription.next();

  subscription.close();

  await api.left;
  await expect(subscription.completed()).rejects.toThrow('was stopped by the test');
});

test('a refused stream rejects with status and body', async () => {
  const api = await startTinyApi();
  await expect(openSse(`${api.url}/nowhere`, { query: WORD })).rejects.toMatchObject({
    name: 'SseRefusedError',
    status: 404,
  });
});
