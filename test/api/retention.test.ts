import { expect, it } from 'vitest';
import { startStandingGateway } from '../submitting/standing-gateway.ts';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, notVisibleYet, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { named } from '../kit/waits.ts';
import { createTask, findTask, idsOf, listTasks } from './client.ts';

const HALF_A_DAY_MS = 43_200_000;
const MINUTE_MS = 60_000;

it('tasks are deleted TASK_RETENTION_DAYS after their end, and whoever was at one of them goes on', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());
  const gateway = await startStandingGateway({ provider, env: { TASK_RETENTION_DAYS: '1' } });
  const { clock, graphqlUrl } = gateway;
  const submit = async (idempotencyKey: string, providerTaskId: string) => {
    provider.answer('createTask', created(providerTaskId));
    const { id } = await createTask(gateway, { idempotencyKey });
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    const end = async (): Promise<number> => {
      const headers = sign(HMAC_KEY, providerTaskId, Math.floor(clock.now() / 1000));
      return (await deliverCallback(callback, callbackSuccess(providerTaskId), headers)).status;
    };
    return { id, end };
  };
  const gone = async (id: string): Promise<void> => {
    if (await findTask(gateway, id)) await gone(id);
  };

  const other = await submit('other', 'kie-1');
  clock.advance(1);
  const old = await submit('once', 'kie-2');
  expect(await old.end()).toBe(200);
  const ended = await findTask(gateway, old.id);
  const { edges } = await listTasks(gateway, { first: 1 });
  clock.advance(HALF_A_DAY_MS);
  expect(await other.end()).toBe(200);
  clock.advance(HALF_A_DAY_MS);
  expect(await findTask(gateway, old.id)).toEqual(ended);
  clock.advance(MINUTE_MS);
  await named('the deletion of the old task', gone(old.id));

  expect(idsOf(await listTasks(gateway, { after: edges[0]?.cursor }))).toEqual([other.id]);
  expect(await old.end()).toBe(404);
  const client = await openGraphqlWs(graphqlUrl);
  const one = client.subscribe({ query: TASK_UPDATED, variables: { id: old.id } });
  expect((await one.next()).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  const all = client.subscribe({ query: TASKS_UPDATED, variables: { after: ended?.revision } });
  expect((await all.data()).tasksUpdated.id).toBe(other.id);
  const again = await submit('once', 'kie-3');
  expect(again.id).not.toBe(old.id);
  expect((await all.data()).tasksUpdated.id).toBe(again.id);
});
