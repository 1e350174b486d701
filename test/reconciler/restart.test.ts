import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { deferred } from '../kit/waits.ts';
import { startFakeProvider, type ProviderRequest } from '../kit/provider.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { created, record, succeeded, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import {
  readTask,
  startWithProvider,
  startWithTask,
  submit,
  watchTask,
  type CalledBack,
} from '../webhooks/called-back.ts';
import { NO_QUERY_LIMIT, POLLING, until } from './polled.ts';

const polled = { env: NO_QUERY_LIMIT, overrides: { timings: POLLING } };

test('a running task is polled by the next process', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', record('kie-1', { state: 'queuing' }));
  const first = await startWithTask({ ...polled, provider });
  const before = await watchTask(first.gateway, first.task.id);
  const queuing = await until(() => before.next(), 'QUEUING');
  await first.gateway.close();

  provider.always('recordInfo', succeeded('kie-1'));
  const { gateway } = await startWithProvider({ ...polled, provider, dataDir: first.gateway.dataDir });
  const after = await watchTask(gateway, first.task.id);
  const ended = await until(() => after.next(), 'SUCCESS');
  expect(ended).toMatchObject({ id: first.task.id, providerTaskId: 'kie-1', createdAt: queuing.createdAt });
  expect(ended.revision).toBe(queuing.revision + 1);
  expect(provider.requests('createTask')).toHaveLength(1);
});

test('a running task accepts callbacks at its old URL', async () => {
  const first = await startWithTask();
  await first.gateway.close();
  const { gateway } = await startWithProvider({ dataDir: first.gateway.dataDir });
  expect(await readTask(gateway, first.task.id)).toEqual(first.task);
  await callBack(gateway.callbackUrl(first.create));
  expect(await readTask(gateway, first.task.id)).toMatchObject({ state: 'SUCCESS' });
});

test('a new secret of callback tokens (docs/security.md) refuses old tokens and loses no task', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', record('kie-1', { state: 'queuing' }));
  const first = await startWithTask({ ...polled, provider });
  await first.gateway.close();
  const database = new DatabaseSync(join(first.gateway.dataDir, 'kineograph.db'));
  database.exec("delete from secrets where name = 'callback'");
  database.close();

  const { gateway } = await startWithProvider({ ...polled, provider, dataDir: first.gateway.dataDir });
  const body = callbackSuccess('kie-1');
  const refused = await deliverCallback(gateway.callbackUrl(first.create), body, sign(HMAC_KEY, 'kie-1'));
  expect(refused.status).toBe(401);
  provider.always('recordInfo', succeeded('kie-1'));
  const watch = await watchTask(gateway, first.task.id);
  await until(() => watch.next(), 'SUCCESS');
});

test('a create call in flight when the process died has an unknown outcome and is not sent again', async () => {
  const { create, gateway, provider, task } = await startAfterDeath({ SUBMISSION_GRACE_MS: '1' });
  const watch = await watchTask(gateway, task.id);
  expect(await until(() => watch.next(), 'FAIL')).toMatchObject({
    failure: { code: 'SUBMISSION_UNKNOWN' },
    providerTaskId: null,
  });
  expect(provider.requests()).toEqual([create]);
});

test('a create call in flight when the process died is adopted by its callback', async () => {
  const { callback, create, gateway, provider, task } = await startAfterDeath();
  expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUBMITTING', providerTaskId: null });
  await callBack(callback);
  expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-1' });
  expect(provider.requests()).toEqual([create]);
});

test('without a callback URL, a create call in flight when the process died fails', async () => {
  const { create, gateway, provider, task } = await startAfterDeath({ PUBLIC_URL: '' });
  const watch = await watchTask(gateway, task.id);
  expect(await until(() => watch.next(), 'FAIL')).toMatchObject({ failure: { code: 'SUBMISSION_UNKNOWN' } });
  expect(provider.requests()).toEqual([create]);
});

/** A second process, after one that died when the provider had taken a task and nothing of it was written yet. */
async function startAfterDeath(env: Readonly<Record<string, string>> = {}): Promise<CalledBack> {
  const provider = await startFakeProvider();
  provider.answer('createTask', created('kie-1'));
  const answered = deferred('the create call to be answered');
  const first = await startWithProvider({
    provider,
    env: { SHUTDOWN_MS: '0' },
    overrides: { wrap: (ports) => dyingWhen(ports, answered.resolve) },
  });
  const mutation = submit(first.gateway);
  const create: ProviderRequest = await provider.received('createTask');
  await answered.promise;
  // An end in order tells the caller before it; what a process that is killed leaves behind is the same.
  await first.gateway.close();
  const task = await mutation;

  const { gateway } = await startWithProvider({
    provider,
    dataDir: first.gateway.dataDir,
    env,
    overrides: { timings: { idleLook: 10 } },
  });
  return { provider, gateway, task, create, callback: gateway.callbackUrl(create) };
}

/** The answer to a create call comes, and never gets further than this. */
function dyingWhen(ports: TaskPorts, onAnswer: () => void): TaskPorts {
  const createTask: TaskPorts['provider']['createTask'] = async (input, callbackUrl) => {
    await ports.provider.createTask(input, callbackUrl);
    onAnswer();
    return new Promise(() => undefined);
  };
  return { ...ports, provider: { ...ports.provider, createTask } };
}

async function callBack(url: string): Promise<void> {
  const answer = await deliverCallback(url, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  expect(answer.status).toBe(200);
}
