import { describe, expect, test } from 'vitest';
import { deliverCallback, callbackSuccess, sign, created } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, NO_POLLING, type Gateway } from '../kit/gateway.ts';
import { graphql, dataOf, type Document } from '../kit/graphql.ts';
import { startStandingGateway, type StandingGateway } from '../submitting/standing-gateway.ts';
import { createTask } from './client.ts';

const EXPECTED: Document<{
  readonly task: { readonly expectedAt: string | null };
}> = 'query ($id: ID!) { task(id: $id) { expectedAt } }';

async function expectedAt(gateway: Gateway, id: string): Promise<number | null> {
  const { task } = dataOf((await graphql(gateway.graphqlUrl, EXPECTED, { id })).body);
  return task.expectedAt === null ? null : Date.parse(task.expectedAt);
}

async function startScene() {
  const provider = await startFakeProvider();
  const timings = { ...NO_POLLING, estimateEvery: 0 };
  const gateway = await startStandingGateway({ provider, overrides: { timings } });
  let count = 0;

  async function begin() {
    count += 1;
    const name = `kie-${count}`;
    provider.answer('createTask', created(name));
    const task = await createTask(gateway, { prompt: name });
    const request = await provider.received('createTask');
    const succeed = async (): Promise<void> => {
      const signed = sign(HMAC_KEY, name, Math.floor(gateway.clock.now() / 1000));
      const { status } = await deliverCallback(gateway.callbackUrl(request), callbackSuccess(name), signed);
      expect(status).toBe(200);
    };
    return { task, succeed };
  }
  return { begin, gateway };
}

/** Has videos made, each of which takes so many seconds. */
async function makeVideos(
  { begin, gateway }: { begin: () => Promise<{ succeed(): Promise<void> }>; gateway: StandingGateway },
  seconds: readonly number[],
): Promise<void> {
  for (const one of seconds) {
    const { succeed } = await begin();
    gateway.clock.advance(one * 1000);
    await succeed();
  }
}

describe('when a video may be there', () => {
  test('nobody can tell before five were made; then it is by the median of how long they took', async () => {
    const scene = await startScene();
    const { begin, gateway } = scene;
    await makeVideos(scene, [10, 200, 30, 40]);
    const early = await begin();
    expect(await expectedAt(gateway, early.task.id)).toBeNull();
    gateway.clock.advance(20_000);
    await early.succeed();

    const { task } = await begin();
    expect(await expectedAt(gateway, task.id)).toBe(gateway.clock.now() + 30_000);
  });

  test('is no question any more once the video is there', async () => {
    const scene = await startScene();
    await makeVideos(scene, [10, 10, 10, 10, 10]);
    const { succeed, task } = await scene.begin();
    await succeed();
    expect(await expectedAt(scene.gateway, task.id)).toBeNull();
  });
});
