import { describe, expect, test } from 'vitest';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { cancelTask, create, createTask, errorOf, findTask } from '../api/client.ts';
import { staysPending } from '../kit/waits.ts';
import { CANCEL, TASK_UPDATED } from '../kit/documents.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, notVisibleYet, refused } from '../kit/kie.ts';
import {
  acceptedAsPrompt,
  promptOf,
  startStandingGateway,
  type StandingGateway,
} from './standing-gateway.ts';

const CANCELLED = { state: 'FAIL', failure: { code: 'CANCELLED', providerCode: null, retryable: true } };

/** More than what the limit of creates is counted over. */
const WINDOW = 11_000;

/** A gateway that sends one task in ten seconds and waits for no answer. */
async function startSlowGateway(
  provider: FakeProvider,
  env: Readonly<Record<string, string>> = {},
): Promise<StandingGateway> {
  provider.always('recordInfo', notVisibleYet());
  return startStandingGateway({ provider, env: { KIE_CREATES_PER_10S: '1', CREATE_WAIT_MS: '0', ...env } });
}

/** The same, with a task that was sent and another one that waits its turn. */
async function startBusyGateway() {
  const provider = await startFakeProvider();
  provider.always('createTask', acceptedAsPrompt);
  const gateway = await startSlowGateway(provider);
  const sent = await createTask(gateway, { prompt: 'sent' });
  await gateway.written((record) => record.state === 'WAITING');
  const waiting = await createTask(gateway, { prompt: 'waiting', idempotencyKey: 'key' });
  return { gateway, provider, sent, waiting };
}

describe('a queued task', () => {
  test('is cancelled for every client, and never sent', async () => {
    const { gateway, provider, waiting } = await startBusyGateway();
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const watch = socket.subscribe({ query: TASK_UPDATED, variables: { id: waiting.id } });
    expect((await watch.data()).taskUpdated.state).toBe('SUBMITTING');

    const result = await cancelTask(gateway, waiting.id);
    expect(result).toMatchObject({ __typename: 'CancelTaskSuccess', task: CANCELLED });
    expect(result.task.completedAt).not.toBeNull();
    expect((await watch.data()).taskUpdated).toEqual(result.task);
    await watch.completed();
    expect(await findTask(gateway, waiting.id)).toEqual(result.task);

    gateway.clock.advance(WINDOW);
    await createTask(gateway, { prompt: 'next' });
    await gateway.written((record) => record.providerTaskId === 'next');
    expect(provider.requests('createTask').map(promptOf)).toEqual(['sent', 'next']);
  });

  test('may be cancelled again, with the same result and without another event', async () => {
    const { gateway, waiting } = await startBusyGateway();
    const first = await cancelTask(gateway, waiting.id);
    expect(await cancelTask(gateway, waiting.id)).toEqual(first);
  });

  test('frees its idempotencyKey when it is cancelled, also for another input', async () => {
    const { gateway, waiting } = await startBusyGateway();
    await cancelTask(gateway, waiting.id);
    const other = await createTask(gateway, { prompt: 'something else', idempotencyKey: 'key' });
    expect(other.id).not.toBe(waiting.id);
    expect(other.state).toBe('SUBMITTING');
  });

  test('that is cancelled ends a mutation that waits for it with the same idempotencyKey', async () => {
    const provider = await startFakeProvider();
    provider.always('createTask', refused(429, 'slow down'));
    const gateway = await startSlowGateway(provider, { CREATE_WAIT_MS: '5000' });
    const wish = { prompt: 'twice', idempotencyKey: 'key' };
    const first = create(gateway, wish);
    await gateway.written((record) => record.notNowCount === 1);
    gateway.clock.advance(5000);
    const announced = await first;
    if (announced.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(announced));
    const isVisible = (record: TaskRecord): boolean => record.revision !== null;
    await gateway.written(isVisible);
    const twin = create(gateway, wish);
    await gateway.written(isVisible);
    await staysPending(twin);
    await cancelTask(gateway, announced.task.id);
    expect(await twin).toMatchObject({ task: { id: announced.task.id, ...CANCELLED } });
  });

  test('is cancelled after "not now" of the provider, and not sent again', async () => {
    const provider = await startFakeProvider();
    const gateway = await startSlowGateway(provider);
    provider.answer('createTask', refused(429, 'slow down'), created('kie-1'));
    const task = await createTask(gateway, { prompt: 'put off' });
    await gateway.written((record) => record.notNowCount === 1);
    expect(await cancelTask(gateway, task.id)).toMatchObject({ task: CANCELLED });
    gateway.clock.advance(WINDOW);
    await createTask(gateway, { prompt: 'next' });
    await gateway.written((record) => record.providerTaskId === 'kie-1');
    expect(provider.requests('createTask').map(promptOf)).toEqual(['put off', 'next']);
  });
});

describe('a task that cannot be cancelled', () => {
  test('was sent, and goes on', async () => {
    const { gateway, sent } = await startBusyGateway();
    const current = await findTask(gateway, sent.id);
    const result = await cancelTask(gateway, sent.id);
    expect(result).toMatchObject({ __typename: 'CannotCancelError', reason: 'ALREADY_SENT', task: current });
    if (result.__typename !== 'CannotCancelError') throw new Error('it was cancelled');
    expect(result.message).toMatch(/cannot cancel and will charge/);
    expect(await findTask(gateway, sent.id)).toEqual(current);
  });

  test('was sent with an unknown outcome', async () => {
    const provider = await startFakeProvider();
    const gateway = await startSlowGateway(provider);
    provider.answer('createTask', { reset: true });
    const task = await createTask(gateway);
    await gateway.written((record) => record.unknownSince !== null);
    expect(await cancelTask(gateway, task.id)).toMatchObject({ reason: 'ALREADY_SENT' });
  });

  test('has ended', async () => {
    const provider = await startFakeProvider();
    const gateway = await startSlowGateway(provider);
    provider.answer('createTask', refused(402, 'no credits'));
    const task = await createTask(gateway);
    const ended = await gateway.written((record) => record.state === 'FAIL');
    expect(await cancelTask(gateway, task.id)).toMatchObject({
      reason: 'ALREADY_ENDED',
      task: { id: ended.id, failure: { code: 'INSUFFICIENT_CREDITS' } },
    });
  });
});

test('cancelTask rejects an unknown id', async () => {
  const { gateway } = await startBusyGateway();
  for (const id of ['00000000-0000-7000-8000-000000000000', '', '\u0000'])
    expect((await errorOf(gateway, CANCEL, { id })).extensions).toMatchObject({ code: 'NOT_FOUND' });
});
