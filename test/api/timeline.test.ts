import { describe, expect, test } from 'vitest';
import { type Document, graphql, dataOf } from '../kit/graphql.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, record, refused, succeeded, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { startStandingGateway } from '../submitting/standing-gateway.ts';
import { startWithTask, watchTask } from '../webhooks/called-back.ts';
import { NO_QUERY_LIMIT, POLLING } from '../reconciler/polled.ts';
import { createTask } from './client.ts';

interface ApiTimeline {
  readonly createdAt: string;
  readonly completedAt: string | null;
  readonly timeline: readonly { readonly state: string; readonly at: string; readonly source: string }[];
}

const FIELDS = 'createdAt completedAt timeline { state at source }';
const TIMELINE: Document<{ readonly task: ApiTimeline }> = `query ($id: ID!) { task(id: $id) { ${FIELDS} } }`;
const TIMELINE_UPDATED: Document<{ readonly taskUpdated: ApiTimeline }> =
  `subscription ($id: ID!) { taskUpdated(id: $id) { ${FIELDS} } }`;

async function timelineOf(gateway: Gateway, id: string): Promise<ApiTimeline> {
  return dataOf((await graphql(gateway.graphqlUrl, TIMELINE, { id })).body).task;
}

/** Its steps as "state by source". */
function stepsOf({ timeline }: ApiTimeline): string[] {
  return timeline.map(({ source, state }) => `${state} by ${source}`);
}

describe('the timeline of a task', () => {
  test('tells how it came to each state: by the answer to its create call and a callback', async () => {
    const { callback, gateway, task } = await startWithTask();
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const watch = socket.subscribe({ query: TIMELINE_UPDATED, variables: { id: task.id } });
    const before = (await watch.data()).taskUpdated;
    expect(stepsOf(before)).toEqual(['SUBMITTING by GATEWAY', 'WAITING by CREATE_ANSWER']);

    await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
    const ended = (await watch.data()).taskUpdated;
    expect(stepsOf(ended)).toEqual([...stepsOf(before), 'SUCCESS by CALLBACK']);
    expect(ended.timeline[0]?.at).toBe(ended.createdAt);
    expect(ended.timeline[2]?.at).toBe(ended.completedAt);
    expect(await timelineOf(gateway, task.id)).toEqual(ended);
  });

  test('names every state that a query brought, and none twice', async () => {
    const provider = await startFakeProvider();
    provider.answer(
      'recordInfo',
      record('kie-1', { state: 'queuing' }),
      record('kie-1', { state: 'queuing' }),
      record('kie-1', { state: 'generating' }),
      succeeded('kie-1'),
    );
    const options = { provider, env: NO_QUERY_LIMIT, overrides: { timings: POLLING } };
    const { gateway, task } = await startWithTask(options);
    await (await watchTask(gateway, task.id)).completed();
    expect(stepsOf(await timelineOf(gateway, task.id)).slice(2)).toEqual([
      'QUEUING by QUERY',
      'GENERATING by QUERY',
      'SUCCESS by QUERY',
    ]);
  });

  test('shows what the gateway concluded from silence, and the word of the provider that replaced it', async () => {
    const provider = await startFakeProvider();
    provider.always('recordInfo', record('kie-1'));
    const { callback, gateway, task } = await startWithTask({
      provider,
      env: { TASK_DEADLINE_MS: '1' },
      overrides: { timings: POLLING },
    });
    await (await watchTask(gateway, task.id)).completed();
    await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
    expect(stepsOf(await timelineOf(gateway, task.id)).slice(2)).toEqual([
      'FAIL by GATEWAY',
      'SUCCESS by CALLBACK',
    ]);
  });

  test('says that a refusal came with the answer to the create call', async () => {
    const provider = await startFakeProvider();
    const gateway = await startStandingGateway({ provider, env: { CREATE_WAIT_MS: '0' } });
    provider.answer('createTask', refused(402, 'no credits'));
    const task = await createTask(gateway);
    await gateway.written(({ state }) => state === 'FAIL');
    expect(stepsOf(await timelineOf(gateway, task.id))).toEqual([
      'SUBMITTING by GATEWAY',
      'FAIL by CREATE_ANSWER',
    ]);
  });

  test('begins when the task was taken, long before the provider has it', async () => {
    const provider = await startFakeProvider();
    const gateway = await startStandingGateway({ provider, env: { CREATE_WAIT_MS: '0' } });
    provider.answer('createTask', refused(429, 'slow down'), created('kie-1'));
    const task = await createTask(gateway);
    await gateway.written(({ notNowCount }) => notNowCount === 1);
    gateway.clock.advance(60_000);
    await gateway.written(({ state }) => state === 'WAITING');
    const { createdAt, timeline } = await timelineOf(gateway, task.id);
    expect(timeline.map(({ at }) => Date.parse(at) - Date.parse(createdAt))).toEqual([0, 60_000]);
  });
});
