import { expect, test } from 'vitest';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import { dataOf, graphql, type Document } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { callbackSuccess, deliverCallback, record, refused, sign, succeeded } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { named } from '../kit/waits.ts';
import { NO_QUERY_LIMIT, POLLING } from '../reconciler/polled.ts';
import { startWithTask, watchTask } from '../webhooks/called-back.ts';
import { createTask, findTask, idsOf, listTasks } from './client.ts';
import { startEnding } from './ending.ts';

interface ApiTimes {
  readonly createdAt: string;
  readonly completedAt: string | null;
  readonly expectedAt: string | null;
  readonly timeline: readonly { readonly state: string; readonly at: string; readonly source: string }[];
}

const TIMES: Document<{ readonly task: ApiTimes }> =
  'query ($id: ID!) { task(id: $id) { createdAt completedAt expectedAt timeline { state at source } } }';

async function timesOf(gateway: Gateway, id: string): Promise<ApiTimes> {
  return dataOf((await graphql(gateway.graphqlUrl, TIMES, { id })).body).task;
}

/** The steps of its timeline as "state by source". */
async function stepsOf(gateway: Gateway, id: string): Promise<string[]> {
  return (await timesOf(gateway, id)).timeline.map(({ source, state }) => `${state} by ${source}`);
}

test('a timeline shows each state once, with its time and what reported it', async () => {
  const provider = await startFakeProvider();
  const queuing = record('kie-1', { state: 'queuing' });
  provider.answer(
    'recordInfo',
    queuing,
    queuing,
    record('kie-1', { state: 'generating' }),
    succeeded('kie-1'),
  );
  const options = { provider, env: NO_QUERY_LIMIT, overrides: { timings: POLLING } };
  const polled = await startWithTask(options);
  await (await watchTask(polled.gateway, polled.task.id)).completed();
  const begun = ['SUBMITTING by GATEWAY', 'WAITING by CREATE_ANSWER'];
  expect(await stepsOf(polled.gateway, polled.task.id)).toEqual([
    ...begun,
    'QUEUING by QUERY',
    'GENERATING by QUERY',
    'SUCCESS by QUERY',
  ]);

  const silent = await startFakeProvider();
  silent.always('recordInfo', record('kie-1'));
  const expired = { provider: silent, env: { TASK_DEADLINE_MS: '1' }, overrides: { timings: POLLING } };
  const { callback, gateway, task } = await startWithTask(expired);
  await (await watchTask(gateway, task.id)).completed();
  await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  expect(await stepsOf(gateway, task.id)).toEqual([...begun, 'FAIL by GATEWAY', 'SUCCESS by CALLBACK']);
  const { completedAt, createdAt, timeline } = await timesOf(gateway, task.id);
  expect([timeline[0]?.at, timeline.at(-1)?.at]).toEqual([createdAt, completedAt]);
});

test('a timeline begins when the task was requested, and shows a refusal as the answer to the create call', async () => {
  const { gateway, provider } = await startEnding({ env: { CREATE_WAIT_MS: '0' } });
  provider.answer('createTask', refused(429, 'slow down'), refused(402, 'no credits'));
  const { id } = await createTask(gateway);
  await gateway.written(({ notNowCount }) => notNowCount === 1);
  gateway.clock.advance(60_000);
  await gateway.written(({ state }) => state === 'FAIL');
  expect(await stepsOf(gateway, id)).toEqual(['SUBMITTING by GATEWAY', 'FAIL by CREATE_ANSWER']);
  const { createdAt, timeline } = await timesOf(gateway, id);
  expect(timeline.map(({ at }) => Date.parse(at) - Date.parse(createdAt))).toEqual([0, 60_000]);
});

test('expectedAt is null before five videos, then the median of their durations, and null at the end', async () => {
  const { begin, gateway } = await startEnding();
  for (const seconds of [10, 200, 30, 40, 20]) {
    const task = await begin();
    expect((await timesOf(gateway, task.id)).expectedAt).toBeNull();
    gateway.clock.advance(seconds * 1000);
    expect(await task.succeed()).toBe(200);
  }
  const { id, succeed } = await begin();
  expect(Date.parse((await timesOf(gateway, id)).expectedAt ?? '')).toBe(gateway.clock.now() + 30_000);
  await succeed();
  expect((await timesOf(gateway, id)).expectedAt).toBeNull();
});

test('a task is deleted TASK_RETENTION_DAYS after its end, and cursors, subscriptions and its key remain usable', async () => {
  const { begin, gateway } = await startEnding({ env: { TASK_RETENTION_DAYS: '1' } });
  const { clock, graphqlUrl } = gateway;
  const gone = async (id: string): Promise<void> => {
    if (await findTask(gateway, id)) await gone(id);
  };
  const other = await begin({ idempotencyKey: 'other' });
  clock.advance(1);
  const old = await begin({ idempotencyKey: 'once' });
  expect(await old.succeed()).toBe(200);
  const ended = await findTask(gateway, old.id);
  const { edges } = await listTasks(gateway, { first: 1 });
  clock.advance(43_200_000);
  expect(await other.succeed()).toBe(200);
  clock.advance(43_200_000);
  expect(await findTask(gateway, old.id)).toEqual(ended);
  clock.advance(60_000);
  await named('the deletion of the old task', gone(old.id));
  expect(idsOf(await listTasks(gateway, { after: edges[0]?.cursor }))).toEqual([other.id]);
  expect(await old.succeed()).toBe(404);

  const client = await openGraphqlWs(graphqlUrl);
  const one = client.subscribe({ query: TASK_UPDATED, variables: { id: old.id } });
  expect((await one.next()).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  const all = client.subscribe({ query: TASKS_UPDATED, variables: { after: ended?.revision } });
  expect((await all.data()).tasksUpdated.id).toBe(other.id);
  const again = await begin({ idempotencyKey: 'once' });
  expect(again.id).not.toBe(old.id);
  expect((await all.data()).tasksUpdated.id).toBe(again.id);
});
