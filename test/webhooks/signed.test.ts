import { expect, test } from 'vitest';
import { StoreUnavailableError, type TaskStore } from '../../src/tasks/store.ts';
import { TASK, TASKS, TASKS_UPDATED } from '../kit/documents.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { deferred, staysPending } from '../kit/waits.ts';
import {
  createBody,
  created,
  record,
  succeeded,
  param,
  resultJson,
  videoUrl,
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
  type KieCallback,
} from '../kit/kie.ts';
import { readTask, startWithProvider, startWithTask, submit, takeTask, watchTask } from './called-back.ts';
import { createStandingClock } from './standing-clock.ts';

const SIGNED = sign(HMAC_KEY, 'kie-1');

/** A callback with an intermediate state, which kie.ai sends for some models. */
function progress(taskId: string, state: string): KieCallback {
  return callbackSuccess(taskId, { state, resultJson: null, consumeCredits: null });
}

/** Delivers a signed callback, which must be taken. */
async function deliver(url: string, body: object, id = 'kie-1'): Promise<void> {
  expect((await deliverCallback(url, body, sign(HMAC_KEY, id))).status).toBe(200);
}

/** The changes of all tasks, from those after `revision` on, one at each call. */
async function nextChange({ graphqlUrl }: Gateway, after: number) {
  const socket = await openGraphqlWs(graphqlUrl);
  const stream = socket.subscribe({ query: TASKS_UPDATED, variables: { after } });
  return async () => (await stream.data()).tasksUpdated;
}

test('signed callbacks move a task at once, through every state that they tell', async () => {
  const { callback, gateway, task } = await startWithTask();
  const watch = await watchTask(gateway, task.id);
  const states = [await watch.next()];
  for (const body of [
    progress('kie-1', 'queuing'),
    progress('kie-1', 'generating'),
    callbackSuccess('kie-1'),
  ]) {
    await deliver(callback, body);
    states.push(await watch.next());
  }
  await watch.completed();
  expect(states.map(({ state }) => state)).toEqual(['WAITING', 'QUEUING', 'GENERATING', 'SUCCESS']);
  const revisions = states.map(({ revision }) => revision);
  expect(revisions).toEqual([...new Set(revisions)].sort((one, other) => one - other));
});

test('a callback that says nothing new is taken, changes nothing and publishes nothing', async () => {
  const scene = await startWithProvider();
  const { gateway, provider } = scene;
  const evil = { resultJson: resultJson('https://evil.example/x.mp4') };
  const pairs: readonly (readonly [
    first: (id: string) => KieCallback,
    second: (id: string) => KieCallback,
  ])[] = [
    [(id) => progress(id, 'generating'), (id) => progress(id, 'generating')],
    [(id) => progress(id, 'generating'), (id) => progress(id, 'queuing')],
    [(id) => progress(id, 'waiting'), (id) => progress(id, 'waiting')],
    [callbackSuccess, callbackSuccess],
    [callbackSuccess, (id) => callbackSuccess(id, evil)],
    [callbackSuccess, (id) => progress(id, 'generating')],
    [callbackSuccess, callbackFail],
    [callbackFail, callbackSuccess],
    [callbackFail, (id) => callbackFail(id, { failCode: '422' })],
  ];
  for (const [index, [first, second]] of pairs.entries()) {
    const id = `kie-${index}`;
    const { callback, task } = await takeTask(scene, id);
    await deliver(callback, first(id), id);
    const before = await readTask(gateway, task.id);
    const next = await nextChange(gateway, before.revision);
    await deliver(callback, second(id), id);
    expect(await readTask(gateway, task.id)).toEqual(before);
    // The next change is the next task's.
    const other = await takeTask(scene, `other-${index}`);
    expect([index, (await next()).id]).toEqual([index, other.task.id]);
  }
  expect(provider.requests('recordInfo')).toEqual([]);
});

test('the same callback many times at once makes one change', async () => {
  const scene = await startWithTask();
  const { callback, gateway, task } = scene;
  const next = await nextChange(gateway, task.revision);
  await Promise.all(Array.from({ length: 8 }, () => deliver(callback, callbackSuccess('kie-1'))));
  const ended = await next();
  expect(ended).toMatchObject({ id: task.id, state: 'SUCCESS' });
  const other = await takeTask(scene, 'kie-2');
  expect(await next()).toMatchObject({ id: other.task.id, revision: ended.revision + 1 });
});

test('callbacks that contradict each other, all at once, leave one end, and all are taken', async () => {
  const { callback, gateway, task } = await startWithTask();
  const bodies = [
    callbackSuccess('kie-1'),
    callbackFail('kie-1'),
    progress('kie-1', 'queuing'),
    progress('kie-1', 'generating'),
  ];
  await Promise.all([...bodies, ...bodies].map((body) => deliver(callback, body)));
  const { failure, state, videos } = await readTask(gateway, task.id);
  expect(['SUCCESS', 'FAIL']).toContain(state);
  expect([failure === null, videos.length > 0]).toEqual([state === 'SUCCESS', state === 'SUCCESS']);
});

test.each([
  ['a success', callbackSuccess('kie-1'), { state: 'SUCCESS', creditsConsumed: 57 }],
  ['a failure', callbackFail('kie-1'), { state: 'FAIL', failure: { code: 'SERVER_ERROR' } }],
  ['an intermediate state', progress('kie-1', 'generating'), { state: 'GENERATING', failure: null }],
])(
  'a callback before the answer to the create call adopts the task and answers the mutation: %s',
  async (_, body, expected) => {
    const { gateway, provider } = await startWithProvider();
    const answer = deferred('the create call to be answered');
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const mutation = submit(gateway);
    const create = await provider.received('createTask');
    await deliver(gateway.callbackUrl(create), body);
    const task = await mutation;
    expect(task).toMatchObject({ ...expected, providerTaskId: 'kie-1' });

    answer.resolve();
    await create.closed;
    // Closing waits until what the answer said is written.
    await gateway.close();
    const { gateway: again } = await startWithProvider({ dataDir: gateway.dataDir, provider });
    expect(await readTask(again, task.id)).toEqual(task);
  },
);

test('a callback adopts a task whose create answer is lost, before the loss or after it', async () => {
  const { gateway, provider } = await startWithProvider();
  const cut = deferred('the create call to be cut');
  provider.answer('createTask', { reset: true, gate: cut.promise }, { reset: true });
  const mutation = submit(gateway);
  const create = await provider.received('createTask');
  await deliver(gateway.callbackUrl(create), progress('kie-1', 'waiting'));
  const task = await mutation;
  expect(task).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-1' });
  cut.resolve();
  await create.closed;
  await deliver(gateway.callbackUrl(create), callbackSuccess('kie-1'));
  expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS', failure: null });

  const lost = await submit(gateway);
  expect(lost).toMatchObject({ state: 'SUBMITTING', providerTaskId: null });
  const callback = gateway.callbackUrl(await provider.received('createTask'));
  await deliver(callback, callbackSuccess('kie-2'), 'kie-2');
  expect(await readTask(gateway, lost.id)).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-2' });
  expect(provider.requests('createTask')).toHaveLength(2);
});

test('how a callback ends a task is told in our words, with the code and the credits of the provider', async () => {
  const scene = await startWithProvider();
  const fail = (code: string, providerCode: string | null, message: string, retryable: boolean) => ({
    state: 'FAIL',
    videos: [],
    failure: { code, providerCode, message, retryable },
  });
  const rows: readonly (readonly [body: (id: string) => object, expected: object])[] = [
    [callbackFail, fail('SERVER_ERROR', '500', 'Internal server error', true)],
    [
      (id) => callbackFail(id, { failCode: '501', failMsg: 'x', consumeCredits: 57 }),
      fail('GENERATION_FAILED', '501', 'x', false),
    ],
    [
      (id) => ({ ...callbackFail(id, { failCode: 'NSFW', failMsg: 'flagged' }), code: 200 }),
      fail('UNKNOWN', 'NSFW', 'flagged', false),
    ],
    [
      (id) => ({ ...callbackFail(id, { failCode: null, failMsg: 'no reason' }), code: 200 }),
      fail('GENERATION_FAILED', null, 'no reason', true),
    ],
    [
      (id) => ({ ...callbackFail(id, { failCode: '', failMsg: '' }), code: 531, msg: 'refunded' }),
      fail('GENERATION_FAILED', '531', 'refunded', true),
    ],
    [
      (taskId) => ({ code: 400, msg: 'no image', data: { taskId } }),
      fail('INVALID_INPUT', '400', 'no image', false),
    ],
    [
      (taskId) => ({ code: 500, message: 'oops', taskId, data: null }),
      fail('SERVER_ERROR', '500', 'oops', true),
    ],
    [callbackSuccess, { state: 'SUCCESS', creditsConsumed: 57 }],
    [
      (id) => callbackSuccess(id, { consumeCredits: 57, creditsConsumed: 19.2 }),
      { state: 'SUCCESS', creditsConsumed: 19.2 },
    ],
    [(id) => callbackSuccess(id, { consumeCredits: undefined }), { state: 'SUCCESS', creditsConsumed: null }],
    [(id) => callbackSuccess(id, { taskId: undefined, task_id: id }), { state: 'SUCCESS' }],
  ];
  for (const [index, [body, expected]] of rows.entries()) {
    const id = `kie-${index}`;
    const { callback, task } = await takeTask(scene, id);
    await deliver(callback, body(id), id);
    expect(await readTask(scene.gateway, task.id)).toMatchObject({ ...expected, providerTaskId: id });
  }
});

test('a callback that does not say how the task ended is taken, and the provider is asked', async () => {
  const scene = await startWithProvider();
  const bodies: readonly ((id: string) => object)[] = [
    ...['{"resultUrls":["htt', '', null, resultJson()].map(
      (result) => (id: string) => callbackSuccess(id, { resultJson: result }),
    ),
    (id) => ({ ...callbackSuccess(id), code: 500 }),
    (id) => callbackSuccess(id, { state: 'dreaming' }),
    (id) => callbackSuccess(id, { state: null }),
    (taskId) => ({ code: 200, msg: 'success', data: { taskId } }),
  ];
  for (const [index, body] of bodies.entries()) {
    const id = `kie-${index}`;
    const { callback, task } = await takeTask(scene, id);
    const watch = await watchTask(scene.gateway, task.id);
    await watch.next();
    scene.provider.answer('recordInfo', succeeded(id));
    await deliver(callback, body(id), id);
    expect(await watch.next()).toMatchObject({ state: 'SUCCESS', videos: [{ url: videoUrl(id) }] });
  }
  expect(scene.provider.requests('recordInfo')).toHaveLength(bodies.length);
});

test('only addresses of the web become videos, and each says until when it may be there', async () => {
  const { callback, gateway, task } = await startWithTask();
  const urls = ['javascript:alert(1)', 'https://files.example/a.mp4', 'ftp://x/b.mp4', 'http://x/c.mp4'];
  await deliver(callback, callbackSuccess('kie-1', { resultJson: resultJson(...urls) }));
  const { completedAt, videos } = await readTask(gateway, task.id);
  const expiresAt = new Date(Date.parse(completedAt ?? '') + 24 * 60 * 60 * 1000).toISOString();
  expect(videos).toEqual([urls[1], urls[3]].map((url) => ({ url, expiresAt })));
});

test('what the provider echoes of the create call is never shown: param and the address of callbacks', async () => {
  const { callback, create, gateway, provider, task } = await startWithTask();
  const secret = createBody(create).callBackUrl ?? '';
  const token = secret.split('/').at(-1) ?? '';
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const changes = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
  const until = async (state: string): Promise<void> => {
    while ((await changes.data()).tasksUpdated.state !== state);
  };
  provider.answer('recordInfo', record('kie-1', { state: 'generating', param: param(secret) }));
  await deliver(callback, callbackSuccess('kie-1', { resultJson: null, param: param(secret) }));
  await until('GENERATING');
  await deliver(callback, callbackSuccess('kie-1', { param: param(secret) }));
  await until('SUCCESS');

  const answers = [
    await graphql(gateway.graphqlUrl, TASK, { id: task.id }),
    await graphql(gateway.graphqlUrl, TASKS),
  ];
  const shown = JSON.stringify([task, socket.messages, answers.map(({ body }) => body)]);
  expect(token).toMatch(/^[\w-]{43}$/);
  for (const hidden of [token, 'callBackUrl', 'webhooks/kie', 'param']) expect(shown).not.toContain(hidden);
});

test('refused callbacks have the provider asked once in ten seconds for each task', async () => {
  const clock = createStandingClock();
  const scene = await startWithTask({ overrides: { clock } });
  const { provider } = scene;
  const other = await takeTask(scene, 'kie-2');
  provider.always('recordInfo', ({ query }) => record(query['taskId'] ?? ''));
  const refuse = async (url: string, id: string): Promise<void> => {
    expect((await deliverCallback(url, callbackSuccess(id))).status).toBe(401);
  };
  for (const [url, id] of [
    [scene.callback, 'kie-1'],
    [other.callback, 'kie-2'],
  ] as const) {
    await refuse(url, id);
    expect((await provider.received('recordInfo')).query).toEqual({ taskId: id });
  }
  const second = provider.received('recordInfo');
  for (let call = 0; call < 200; call += 1) await refuse(scene.callback, 'kie-1');
  clock.advance(9_999);
  await refuse(scene.callback, 'kie-1');
  await staysPending(second);
  clock.advance(1);
  await refuse(scene.callback, 'kie-1');
  await second;
  expect(provider.requests('recordInfo')).toHaveLength(3);
});

test('while keys are changed either signs, and a key that was removed signs nothing any more', async () => {
  const body = callbackSuccess('kie-1');
  const first = await startWithTask({ env: { KIE_WEBHOOK_HMAC_KEYS: 'new-key, old-key' } });
  for (const key of ['new-key', 'old-key']) {
    const headers = sign(key, 'kie-1');
    expect((await deliverCallback(first.callback, progress('kie-1', 'waiting'), headers)).status).toBe(200);
  }
  await first.gateway.close();

  const { dataDir } = first.gateway;
  const { gateway, provider } = await startWithProvider({
    dataDir,
    env: { KIE_WEBHOOK_HMAC_KEYS: 'new-key' },
  });
  provider.answer('recordInfo', record('kie-1'));
  // The address is as good as before: its token lives in the store.
  const callback = gateway.callbackUrl(first.create);
  expect((await deliverCallback(callback, body, sign('old-key', 'kie-1'))).status).toBe(401);
  await provider.received('recordInfo');
  expect(await readTask(gateway, first.task.id)).toMatchObject({ state: 'WAITING' });
  expect((await deliverCallback(callback, body, sign('new-key', 'kie-1'))).status).toBe(200);
  expect(await readTask(gateway, first.task.id)).toMatchObject({ state: 'SUCCESS' });
});

test.each([
  ['to read the task', 'get', callbackSuccess('kie-1'), SIGNED],
  ['to write the task', 'save', callbackSuccess('kie-1'), SIGNED],
  ['to bring the check forward after a wrong signature', 'amend', callbackSuccess('kie-1'), {}],
  ['to read the task that a broken callback is for', 'get', '{"code":200', SIGNED],
] as const)(
  'when the store fails %s, the callback is to be sent again, and then nothing is lost',
  async (_, method, body, headers) => {
    let isDown = false;
    const brittle = (store: TaskStore): TaskStore => ({
      ...store,
      [method]: (argument: never) =>
        isDown
          ? Promise.reject(new StoreUnavailableError(new Error('disk full at /secret/path')))
          : store[method](argument),
    });
    const { callback, gateway, task } = await startWithTask({
      overrides: { wrap: (ports) => ({ ...ports, store: brittle(ports.store) }) },
    });
    isDown = true;
    const answer = await deliverCallback(callback, body, headers);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ status: 503, hint: expect.any(String) as string });
    expect(JSON.stringify(answer.body)).not.toContain('secret');
    expect((await deliverCallback(`${callback}x`, body, headers)).status).toBe(401);

    isDown = false;
    expect(await readTask(gateway, task.id)).toEqual(task);
    await deliver(callback, callbackSuccess('kie-1'));
    expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS' });
  },
);
