import { afterAll, expect, test } from 'vitest';
import {
  createPatientClient,
  follow,
  stepsBack,
  compileMortalGateway,
  createSuccession,
  type Succession,
  startCrashProvider,
} from '../kit/crash.ts';

const program = await compileMortalGateway();
afterAll(program.remove);

test('killed while a wish waits its turn and asked again without a key, there is one create for it', async () => {
  const { client, follower, gateway, provider, restart } = await start({ createWaitMs: 15_000 });
  await client.create('the first', null);

  // The client asks again when the connection breaks, as people do.
  const asked = client.create('the second', null);
  await gateway.reaches('while a task waits its turn');
  await gateway.kill();
  expect(provider.creates.map(({ prompt }) => prompt)).toEqual(['the first']);
  await restart();

  const result = await asked;
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  const { id } = result.task;
  await follower.sees((task) => task.id === id && task.state === 'SUCCESS');
  expect(provider.creates.map(({ prompt }) => prompt)).toEqual(['the first', 'the second']);
  expect(provider.creates[1]?.taskId).toBe(id);
  expect(stepsBack(follower.seen)).toEqual([]);
  // Of the task that died unanswered nobody ever hears.
  expect(new Set(follower.seen.map((task) => task.id)).size).toBe(2);
});

test('killed while an announced task waits its turn, it is sent once, by the next gateway', async () => {
  const { client, follower, gateway, provider, restart } = await start({ createWaitMs: 50 });
  await client.create('the first', null);

  const result = await client.create('the second', null);
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  const { id, state } = result.task;
  expect(state).toBe('SUBMITTING');
  await gateway.kill();
  expect(provider.creates.map(({ prompt }) => prompt)).toEqual(['the first']);
  await restart();

  await follower.sees((task) => task.id === id && task.state === 'SUCCESS');
  expect(provider.creates.map(({ prompt }) => prompt)).toEqual(['the first', 'the second']);
  expect(provider.creates[1]?.taskId).toBe(id);
  expect(stepsBack(follower.seen)).toEqual([]);
});

/** Longer than the test. */
const LONG_MS = 600_000;

/** A gateway that may send one create call, and, when it was killed, the next one another. */
async function start({ createWaitMs }: { readonly createWaitMs: number }) {
  const provider = await startCrashProvider(
    () => ({ fate: 'taken', answer: 'arrives' }),
    () => succession.running(),
  );
  const succession: Succession = await createSuccession({
    program,
    providerUrl: provider.url,
    env: { CREATE_WAIT_MS: String(createWaitMs), KIE_CREATES_PER_10S: '1' },
    timings: { idleLook: 100, outcomeLook: 50 },
  });
  succession.load();
  succession.load();
  const gateway = await succession.start({ timings: { createWindow: LONG_MS } });
  provider.finishTasks();
  return {
    client: createPatientClient(succession),
    follower: follow(succession),
    gateway,
    provider,
    // What was sent before counts no longer.
    restart: () => succession.start({ timings: { createWindow: 1 } }),
  };
}
