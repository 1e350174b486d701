import { describe, expect, test } from 'vitest';
import { StoreUnavailableError, type TaskStore } from '../../src/tasks/store.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { succeeded, callbackFail, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { readTask, startWithTask, watchTask, type CalledBack } from './called-back.ts';

type Failing = 'get' | 'save' | 'amend';

/** A task, and a store whose named method fails while `isDown`. */
async function startWithBrittleStore(
  method: Failing,
  env: Readonly<Record<string, string>> = {},
): Promise<CalledBack & { isDown: boolean }> {
  const state = { isDown: false };
  const brittle = (store: TaskStore): TaskStore => ({
    ...store,
    [method]: (argument: never) => {
      if (state.isDown)
        return Promise.reject(new StoreUnavailableError(new Error('disk full at /secret/path')));
      return store[method](argument);
    },
  });
  const scene = await startWithTask({
    env,
    overrides: { wrap: (ports) => ({ ...ports, store: brittle(ports.store) }) },
  });
  return Object.assign(state, scene);
}

const signed = sign(HMAC_KEY, 'kie-1');

describe('when the store fails', () => {
  test.each<readonly [what: string, method: Failing, headers: Record<string, string>]>([
    ['to read the task', 'get', signed],
    ['to write the task', 'save', signed],
    ['to bring the check forward after a wrong signature', 'amend', {}],
  ])('%s, the callback is to be sent again, and then nothing is lost', async (_what, method, headers) => {
    const scene = await startWithBrittleStore(method);
    const { callback, gateway, task } = scene;
    scene.isDown = true;
    const answer = await deliverCallback(callback, callbackSuccess('kie-1'), headers);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ status: 503, hint: expect.any(String) as string });
    expect(JSON.stringify(answer.body)).not.toContain('secret');

    scene.isDown = false;
    expect(await readTask(gateway, task.id)).toEqual(task);
    expect((await deliverCallback(callback, callbackSuccess('kie-1'), signed)).status).toBe(200);
    expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS' });
  });

  test('to note an unsigned callback, it is to be sent again, and then the provider is asked', async () => {
    const scene = await startWithBrittleStore('amend', { KIE_WEBHOOK_HMAC_KEYS: '' });
    const { callback, gateway, provider, task } = scene;
    scene.isDown = true;
    expect((await deliverCallback(callback, callbackFail('kie-1'))).status).toBe(503);

    scene.isDown = false;
    const watch = await watchTask(gateway, task.id);
    await watch.next();
    provider.answer('recordInfo', succeeded('kie-1'));
    expect((await deliverCallback(callback, callbackFail('kie-1'))).status).toBe(200);
    expect(await watch.next()).toMatchObject({ state: 'SUCCESS' });
  });

  test('what is refused before the store is needed is refused as ever', async () => {
    const scene = await startWithBrittleStore('get');
    scene.isDown = true;
    expect((await deliverCallback(`${scene.callback}x`, callbackSuccess('kie-1'), signed)).status).toBe(401);
  });

  test('what cannot be read is asked for again, since it has the provider asked', async () => {
    const scene = await startWithBrittleStore('get');
    scene.isDown = true;
    expect((await deliverCallback(scene.callback, '{"code":200', signed)).status).toBe(503);
  });
});
