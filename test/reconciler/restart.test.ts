import { expect, test } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { record, succeeded, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { inSqlite } from '../kit/store.ts';
import { readTask, startWithProvider, startWithTask, watchTask } from '../webhooks/called-back.ts';
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
  inSqlite(first.gateway.dataDir, (database) => {
    database.exec("delete from secrets where name = 'callback'");
  });

  const { gateway } = await startWithProvider({ ...polled, provider, dataDir: first.gateway.dataDir });
  const body = callbackSuccess('kie-1');
  const refused = await deliverCallback(gateway.callbackUrl(first.create), body, sign(HMAC_KEY, 'kie-1'));
  expect(refused.status).toBe(401);
  provider.always('recordInfo', succeeded('kie-1'));
  const watch = await watchTask(gateway, first.task.id);
  await until(() => watch.next(), 'SUCCESS');
});

async function callBack(url: string): Promise<void> {
  const answer = await deliverCallback(url, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  expect(answer.status).toBe(200);
}
