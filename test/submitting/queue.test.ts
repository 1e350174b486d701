import { describe, expect, test } from 'vitest';
import { cancelTask, create, createTask } from '../api/client.ts';
import { type ApiCreateResult, CANCEL, CREATE, input } from '../kit/documents.ts';
import { startGateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { graphql, dataOf, type Document } from '../kit/graphql.ts';
import { created, notVisibleYet, refused } from '../kit/kie.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { staysPending } from '../kit/waits.ts';
import { API_KEYS, bearer, type Owner } from '../limits/asking.ts';
import { acceptedAsPrompt, promptOf, startStandingGateway, wishFor } from './standing-gateway.ts';

/** What the gateway counts the limit over: a little more than the provider's ten seconds. */
const WINDOW = 10_500;

async function startQueue(env: Readonly<Record<string, string>>) {
  const provider = await startFakeProvider();
  provider.always('createTask', acceptedAsPrompt);
  provider.always('recordInfo', notVisibleYet());
  return { provider, gateway: await startStandingGateway({ provider, env }) };
}

/** The prompts of the next create calls, in the order of the alphabet: calls of one window are made side by side. */
async function nextPrompts(provider: FakeProvider, count: number): Promise<string[]> {
  const requests = Array.from({ length: count }, () => provider.received('createTask'));
  return (await Promise.all(requests)).map(promptOf).sort();
}

describe('more tasks than the create limit', () => {
  test('become visible after CREATE_WAIT_MS and are sent in order, never more per window than the limit', async () => {
    const { gateway, provider } = await startQueue({ KIE_CREATES_PER_10S: '3', CREATE_WAIT_MS: '5000' });
    const results = await wishFor(gateway, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    const first = await Promise.all(results.slice(0, 3));
    expect(first).toMatchObject(Array(3).fill({ task: { state: 'WAITING' } }));
    await staysPending(Promise.race(results.slice(3)));

    gateway.clock.advance(5000);
    const others = await Promise.all(results.slice(3));
    expect(others).toMatchObject(Array(5).fill({ task: { state: 'SUBMITTING', providerTaskId: null } }));

    expect(await nextPrompts(provider, 3)).toEqual(['a', 'b', 'c']);
    gateway.clock.advance(WINDOW - 5000 - 10);
    const fourth = provider.received('createTask');
    await staysPending(fourth);
    gateway.clock.advance(10);
    expect([promptOf(await fourth), ...(await nextPrompts(provider, 2))].sort()).toEqual(['d', 'e', 'f']);
    await Promise.all(['d', 'e', 'f'].map((id) => gateway.written((record) => record.providerTaskId === id)));
    gateway.clock.advance(WINDOW);
    expect(await nextPrompts(provider, 2)).toEqual(['g', 'h']);
    expect(provider.requests('createTask')).toHaveLength(8);
  });

  test('share the limit with repeated calls: each takes another rate slot', async () => {
    const { gateway, provider } = await startQueue({ KIE_CREATES_PER_10S: '1', CREATE_WAIT_MS: '0' });
    provider.answer('createTask', { status: 429, headers: { 'retry-after': '1' } }, created('a'));
    await createTask(gateway, { prompt: 'a' });
    await provider.received('createTask');
    await gateway.written((record) => record.notNowCount === 1);
    gateway.clock.advance(WINDOW - 1);
    const again = provider.received('createTask');
    await staysPending(again);
    gateway.clock.advance(1);
    expect(promptOf(await again)).toBe('a');
  });

  test('that wait when the gateway stops become visible at once and are sent by the next process within the limit', async () => {
    const env = { KIE_CREATES_PER_10S: '2' };
    const { gateway: first, provider } = await startQueue(env);
    const results = await wishFor(first, 'a', 'b', 'c');
    expect(await nextPrompts(provider, 2)).toEqual(['a', 'b']);
    await Promise.all(results.slice(0, 2));
    await staysPending(Promise.resolve(results[2]));
    const closed = first.close();
    expect(await results[2]).toMatchObject({ task: { state: 'SUBMITTING', prompt: 'c' } });
    await closed;

    const { clock, dataDir } = first;
    await startStandingGateway({ provider, env, clock, dataDir });
    clock.advance(WINDOW - 10);
    const third = provider.received('createTask');
    await staysPending(third);
    clock.advance(10);
    expect(promptOf(await third)).toBe('c');
  });
});

interface Queued {
  readonly prompt: string;
  readonly queuePosition: number | null;
}

const POSITIONS: Document<{ readonly tasks: { readonly edges: readonly { readonly node: Queued }[] } }> =
  '{ tasks { edges { node { prompt queuePosition } } } }';
const UPDATED: Document<{ readonly taskUpdated: Queued }> =
  'subscription ($id: ID!) { taskUpdated(id: $id) { prompt queuePosition } }';

test('the queue position counts tasks that are sent before, moves up when one is cancelled, and is null in events', async () => {
  const { gateway } = await startQueue({ KIE_CREATES_PER_10S: '1', CREATE_WAIT_MS: '0' });
  const ids: Record<string, string> = {};
  for (const prompt of ['a', 'b', 'c', 'd']) {
    gateway.clock.advance(1);
    ids[prompt] = (await createTask(gateway, { prompt })).id;
    if (prompt === 'a') await gateway.written(({ state }) => state === 'WAITING');
  }
  /** The position of each task, by its prompt. */
  async function positions(): Promise<Record<string, number | null>> {
    const { edges } = dataOf((await graphql(gateway.graphqlUrl, POSITIONS)).body).tasks;
    return Object.fromEntries(edges.map(({ node }) => [node.prompt, node.queuePosition]));
  }
  expect(await positions()).toEqual({ a: null, b: 1, c: 2, d: 3 });
  await cancelTask(gateway, ids['c'] ?? '');
  expect(await positions()).toEqual({ a: null, b: 1, c: null, d: 2 });
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const watch = socket.subscribe({ query: UPDATED, variables: { id: ids['d'] ?? '' } });
  expect((await watch.data()).taskUpdated).toEqual({ prompt: 'd', queuePosition: null });
  gateway.clock.advance(WINDOW);
  await gateway.written(({ providerTaskId }) => providerTaskId === 'b');
  expect(await positions()).toEqual({ a: null, b: null, c: null, d: 1 });
});

describe('a full queue', () => {
  test('still answers a retry of a queued task', async () => {
    const provider = await startFakeProvider();
    const env = { CREATE_WAIT_MS: '0', KIE_CREATES_PER_10S: '1' };
    const gateway = await startStandingGateway({ provider, env, overrides: { timings: { queueLimit: 0 } } });
    provider.answer('createTask', created('kie-1'));
    await createTask(gateway);
    await gateway.written((record) => record.providerTaskId === 'kie-1');
    const waiting = await createTask(gateway, { idempotencyKey: 'one' });
    for (const fields of [{}, { idempotencyKey: 'two' }])
      expect(await create(gateway, fields)).toMatchObject({ code: 'RATE_LIMITED' });
    expect(await createTask(gateway, { idempotencyKey: 'one' })).toEqual(waiting);
  });

  test('is full for an owner who fills it, whose share alone is exhausted, and cancelling frees no other', async () => {
    const provider = await startFakeProvider();
    provider.always('createTask', refused(429, 'slow down'));
    const { graphqlUrl } = await startGateway({
      provider,
      env: { API_KEYS, CREATE_WAIT_MS: '0', KIE_CREATES_PER_10S: '1' },
      overrides: { timings: { createWindow: 60_000, queueLimit: 10 * 60_000 } },
    });
    const ask = async (owner: Owner): Promise<ApiCreateResult> =>
      dataOf((await graphql(graphqlUrl, CREATE, { input: input() }, bearer(owner))).body).createImageToVideo;
    const cancel = (owner: Owner, id: string) => graphql(graphqlUrl, CANCEL, { id }, bearer(owner));
    const isFull = { __typename: 'ProviderError', code: 'RATE_LIMITED' };

    /** Creates until one is refused; the ids of those that wait. */
    async function fill(owner: Owner): Promise<string[]> {
      const ids: string[] = [];
      for (;;) {
        const result = await ask(owner);
        if (result.__typename === 'CreateImageToVideoSuccess') ids.push(result.task.id);
        else {
          expect(result).toMatchObject(isFull);
          return ids;
        }
      }
    }

    const anns = await fill('ann');
    expect(anns.length).toBeGreaterThanOrEqual(10);
    const bobs = await fill('bob');
    expect(bobs.length).toBeGreaterThanOrEqual(5);
    expect(bobs.length).toBeLessThan(anns.length);
    expect(await ask('ann')).toMatchObject(isFull);

    for (const id of anns.slice(1)) await cancel('ann', id);
    expect((await fill('ann')).length).toBeLessThan(anns.length);
    expect(await ask('bob')).toMatchObject(isFull);
    for (const id of bobs) await cancel('bob', id);
    expect(await ask('bob')).toMatchObject({ __typename: 'CreateImageToVideoSuccess' });
  });
});
