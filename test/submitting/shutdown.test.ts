import { describe, expect, test } from 'vitest';
import { create, findTask, taskOf } from '../api/client.ts';
import { staysPending, deferred } from '../kit/waits.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { created, notVisibleYet, refused } from '../kit/kie.ts';
import { startStandingGateway } from './standing-gateway.ts';

const SHUTDOWN_MS = 65_000;

describe('a gateway that stops with a create call in flight', () => {
  test('answers its mutation at once, waits for the call, and stores its outcome', async () => {
    const provider = await startFakeProvider();
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    provider.always('recordInfo', notVisibleYet());
    const first = await startStandingGateway({ provider });
    const wish = create(first);
    await provider.received('createTask');
    const closed = first.close();
    const task = taskOf(await wish);
    expect(task).toMatchObject({ state: 'SUBMITTING' });
    first.clock.advance(SHUTDOWN_MS - 1);
    await staysPending(closed);
    answer.resolve();
    await closed;

    const second = await startStandingGateway({ provider, dataDir: first.dataDir, clock: first.clock });
    expect(await findTask(second, 'kie-1')).toMatchObject({ id: task.id, state: 'WAITING' });
  });

  test('abandons the call after SHUTDOWN_MS; the next process records it as unknown and does not send it again', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', { hang: true });
    const first = await startStandingGateway({ provider });
    const wish = create(first, { idempotencyKey: 'one' });
    await provider.received('createTask');
    const closed = first.close();
    const task = taskOf(await wish);
    first.clock.advance(SHUTDOWN_MS);
    await closed;

    const second = await startStandingGateway({ provider, dataDir: first.dataDir, clock: first.clock });
    await second.written((record) => record.unknownSince !== null);
    expect(taskOf(await create(second, { idempotencyKey: 'one' }))).toEqual(task);
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  test('starts no other call: the next process sends what got "not now"', async () => {
    const provider = await startFakeProvider();
    const answer = deferred();
    provider.answer('createTask', { ...refused(429, 'slow down'), gate: answer.promise }, created('kie-2'));
    const first = await startStandingGateway({ provider });
    const wish = create(first);
    await provider.received('createTask');
    const closed = first.close();
    const { id } = taskOf(await wish);
    answer.resolve();
    await closed;
    first.clock.advance(60_000);
    expect(provider.requests('createTask')).toHaveLength(1);

    const second = await startStandingGateway({ provider, dataDir: first.dataDir, clock: first.clock });
    await second.written((record) => record.state === 'WAITING');
    expect(await findTask(second, 'kie-2')).toMatchObject({ id, state: 'WAITING' });
  });
});
