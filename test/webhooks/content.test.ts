import { describe, expect, test } from 'vitest';
import { TASK, TASKS, TASKS_UPDATED } from '../kit/documents.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import {
  createBody,
  record,
  succeeded,
  param,
  resultJson,
  videoUrl,
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
} from '../kit/kie.ts';
import { readTask, startWithTask, watchTask } from './called-back.ts';

const signed = sign(HMAC_KEY, 'kie-1');

describe("a failure is told in our words and the provider's code:", () => {
  test.each([
    [
      'code 501 and failCode "500", as documented',
      callbackFail('kie-1'),
      { code: 'SERVER_ERROR', providerCode: '500', message: 'Internal server error', retryable: true },
    ],
    [
      'a failure that credits were charged for',
      callbackFail('kie-1', { failCode: '501', failMsg: 'x', consumeCredits: 57 }),
      { code: 'GENERATION_FAILED', providerCode: '501', message: 'x', retryable: false },
    ],
    [
      'code 200, state fail and failCode "422"',
      { ...callbackFail('kie-1', { failCode: '422', failMsg: 'image too small' }), code: 200 },
      { code: 'INVALID_INPUT', providerCode: '422', message: 'image too small', retryable: false },
    ],
    [
      'code 200, state fail and a failCode that nobody knows',
      { ...callbackFail('kie-1', { failCode: 'NSFW', failMsg: 'flagged' }), code: 200 },
      { code: 'UNKNOWN', providerCode: 'NSFW', message: 'flagged', retryable: false },
    ],
    [
      'code 200, state fail and no failCode',
      { ...callbackFail('kie-1', { failCode: null, failMsg: 'no reason' }), code: 200 },
      { code: 'GENERATION_FAILED', providerCode: null, message: 'no reason', retryable: true },
    ],
    [
      'code 531 and no failCode',
      { ...callbackFail('kie-1', { failCode: '', failMsg: '' }), code: 531, msg: 'credits refunded' },
      { code: 'GENERATION_FAILED', providerCode: '531', message: 'credits refunded', retryable: true },
    ],
    [
      'code 400 without a state',
      { code: 400, msg: 'image could not be fetched', data: { taskId: 'kie-1' } },
      {
        code: 'INVALID_INPUT',
        providerCode: '400',
        message: 'image could not be fetched',
        retryable: false,
      },
    ],
    [
      'code 500 and the id at the top alone',
      { code: 500, message: 'oops', taskId: 'kie-1', data: null },
      { code: 'SERVER_ERROR', providerCode: '500', message: 'oops', retryable: true },
    ],
  ])('%s', async (_what, body, failure) => {
    const { callback, gateway, task } = await startWithTask();
    expect((await deliverCallback(callback, body, signed)).status).toBe(200);
    expect(await readTask(gateway, task.id)).toMatchObject({ state: 'FAIL', failure, videos: [] });
  });
});

describe('the id is found', () => {
  test.each([
    ['as data.taskId', callbackSuccess('kie-1')],
    ['as data.task_id', callbackSuccess('kie-1', { taskId: undefined, task_id: 'kie-1' })],
    ['at the top level', { ...callbackSuccess('kie-1', { taskId: undefined }), taskId: 'kie-1' }],
    [
      'twice, as on the page on signatures',
      { ...callbackSuccess('kie-1', { taskId: undefined, task_id: 'kie-1' }), taskId: 'kie-1' },
    ],
  ])('%s', async (_what, body) => {
    const { callback, gateway, task } = await startWithTask();
    expect((await deliverCallback(callback, body, signed)).status).toBe(200);
    expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-1' });
  });
});

describe('a callback that does not say how the task ended is taken, and the provider is asked:', () => {
  test.each([
    ['a success with broken resultJson', callbackSuccess('kie-1', { resultJson: '{"resultUrls":["htt' })],
    ['a success with an empty resultJson', callbackSuccess('kie-1', { resultJson: '' })],
    ['a success without resultJson', callbackSuccess('kie-1', { resultJson: null })],
    ['a success without any address', callbackSuccess('kie-1', { resultJson: resultJson() })],
    ['a success with code 500', { ...callbackSuccess('kie-1'), code: 500 }],
    ['an unknown state', callbackSuccess('kie-1', { state: 'dreaming' })],
    ['no state', callbackSuccess('kie-1', { state: null })],
    ['an id and nothing else', { code: 200, msg: 'success', data: { taskId: 'kie-1' } }],
  ])('%s', async (_what, body) => {
    const { callback, gateway, provider, task } = await startWithTask();
    const watch = await watchTask(gateway, task.id);
    await watch.next();
    provider.answer('recordInfo', succeeded('kie-1'));

    expect((await deliverCallback(callback, body, signed)).status).toBe(200);
    expect(await watch.next()).toMatchObject({ state: 'SUCCESS', videos: [{ url: videoUrl('kie-1') }] });
    expect(provider.requests('recordInfo')).toHaveLength(1);
  });
});

describe('credits', () => {
  test.each([
    ['consumeCredits', { consumeCredits: 57 }, 57],
    ['creditsConsumed before consumeCredits', { consumeCredits: 57, creditsConsumed: 19.2 }, 19.2],
    ['nothing', { consumeCredits: undefined }, null],
  ])('are read from a callback that has %s', async (_what, fields, creditsConsumed) => {
    const { callback, gateway, task } = await startWithTask();
    await deliverCallback(callback, callbackSuccess('kie-1', fields), signed);
    expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS', creditsConsumed });
  });
});

test('only addresses of the web become videos, and each says until when it may be there', async () => {
  const { callback, gateway, task } = await startWithTask();
  const urls = ['javascript:alert(1)', 'https://files.example/a.mp4', 'ftp://x/b.mp4', 'http://x/c.mp4'];
  await deliverCallback(callback, callbackSuccess('kie-1', { resultJson: resultJson(...urls) }), signed);
  const { completedAt, videos } = await readTask(gateway, task.id);
  const expiresAt = new Date(Date.parse(completedAt ?? '') + 24 * 60 * 60 * 1000).toISOString();
  expect(videos).toEqual([
    { url: 'https://files.example/a.mp4', expiresAt },
    { url: 'http://x/c.mp4', expiresAt },
  ]);
});

test('what the provider echoes of the create call is never shown: param and the address of callbacks', async () => {
  const { callback, create, gateway, provider, task } = await startWithTask();
  const secret = createBody(create).callBackUrl ?? '';
  const token = secret.split('/').at(-1) ?? '';
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const changes = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });

  provider.answer('recordInfo', record('kie-1', { state: 'generating', param: param(secret) }));
  const unclear = callbackSuccess('kie-1', { resultJson: null, param: param(secret) });
  await deliverCallback(callback, unclear, signed);
  let last = (await changes.data()).tasksUpdated;
  while (last.state !== 'GENERATING') last = (await changes.data()).tasksUpdated;
  await deliverCallback(callback, callbackSuccess('kie-1', { param: param(secret) }), signed);
  while (last.state !== 'SUCCESS') last = (await changes.data()).tasksUpdated;

  const answers = [
    await graphql(gateway.graphqlUrl, TASK, { id: task.id }),
    await graphql(gateway.graphqlUrl, TASKS),
  ];
  const shown = JSON.stringify([task, socket.messages, answers.map(({ body }) => body)]);
  expect(shown).toContain('SUCCESS');
  expect(token).toMatch(/^[\w-]{43}$/);
  for (const hidden of [token, 'callBackUrl', 'webhooks/kie', 'param']) expect(shown).not.toContain(hidden);
});
