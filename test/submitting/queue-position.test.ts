import { describe, expect, test } from 'vitest';
import { cancelTask, createTask } from '../api/client.ts';
import { startFakeProvider } from '../kit/provider.ts';
import type { Gateway } from '../kit/gateway.ts';
import { graphql, dataOf, type Document } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { notVisibleYet } from '../kit/kie.ts';
import { startStandingGateway } from './standing-gateway.ts';
import { acceptedAsPrompt } from './wishes.ts';

interface Queued {
  readonly prompt: string;
  readonly queuePosition: number | null;
}

const POSITIONS: Document<{ readonly tasks: { readonly edges: readonly { readonly node: Queued }[] } }> =
  '{ tasks { edges { node { prompt queuePosition } } } }';
const UPDATED: Document<{ readonly taskUpdated: Queued }> =
  'subscription ($id: ID!) { taskUpdated(id: $id) { prompt queuePosition } }';

/** The position of each task, by its prompt. */
async function positions(gateway: Gateway): Promise<Record<string, number | null>> {
  const { edges } = dataOf((await graphql(gateway.graphqlUrl, POSITIONS)).body).tasks;
  return Object.fromEntries(edges.map(({ node }) => [node.prompt, node.queuePosition]));
}

/** One task that was sent, and three that wait. */
async function startQueue() {
  const provider = await startFakeProvider();
  provider.always('createTask', acceptedAsPrompt);
  provider.always('recordInfo', notVisibleYet());
  const env = { KIE_CREATES_PER_10S: '1', CREATE_WAIT_MS: '0' };
  const gateway = await startStandingGateway({ provider, env });
  const ids: Record<string, string> = {};
  for (const prompt of ['a', 'b', 'c', 'd']) {
    gateway.clock.advance(1);
    ids[prompt] = (await createTask(gateway, { prompt })).id;
    if (prompt === 'a') await gateway.written(({ state }) => state === 'WAITING');
  }
  return { gateway, ids };
}

describe('the queue position of a task', () => {
  test('counts tasks that are sent before it, and is null after it was sent', async () => {
    const { gateway } = await startQueue();
    expect(await positions(gateway)).toEqual({ a: null, b: 1, c: 2, d: 3 });
    gateway.clock.advance(10_500);
    await gateway.written(({ providerTaskId }) => providerTaskId === 'b');
    expect(await positions(gateway)).toEqual({ a: null, b: null, c: 1, d: 2 });
  });

  test('moves up when another task is cancelled', async () => {
    const { gateway, ids } = await startQueue();
    await cancelTask(gateway, ids['b'] ?? '');
    expect(await positions(gateway)).toEqual({ a: null, b: null, c: 1, d: 2 });
  });

  test('is null in events', async () => {
    const { gateway, ids } = await startQueue();
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const watch = socket.subscribe({ query: UPDATED, variables: { id: ids['d'] ?? '' } });
    expect((await watch.data()).taskUpdated).toEqual({ prompt: 'd', queuePosition: null });
  });
});
