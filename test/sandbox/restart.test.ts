import { expect, it } from 'vitest';
import { startClient } from './client.ts';
import { hang, startReceiver } from './receiver.ts';

it('the course of a task survives a restart in its id, and the balance begins anew', async () => {
  const before = await startClient();
  const taskId = await before.create('[sandbox: duration=0s]');
  const failed = await before.create('[sandbox: duration=0s] [sandbox: fail=501]');
  expect(await before.credits()).toBe(10_000 - 57);
  await before.close();

  const after = await startClient();
  expect(await after.record(taskId)).toMatchObject({ state: 'success', creditsConsumed: 57, param: '' });
  expect(await after.record(failed)).toMatchObject({ state: 'fail', failCode: '501' });
  expect(await after.credits()).toBe(10_000);
});

it('close() ends every wait and every connection at once', async () => {
  const receiver = await startReceiver(hang);
  const sandbox = await startClient();
  await sandbox.create('[sandbox: duration=24m]', receiver.url);
  await sandbox.create('[sandbox: duration=0s]', receiver.url);
  await receiver.next();
  await sandbox.close();
  await expect(sandbox.credits()).rejects.toThrow('fetch failed');
});
