import { describe, expect, test } from 'vitest';
import { parseCallback } from '../../src/providers/kie/answers.ts';
import { callbackFail, callbackSuccess, param } from '../kit/kie.ts';

test('a success as kie.ai documents it', () => {
  const callbackUrl = 'https://gateway.example.test/webhooks/kie/1/token';
  expect(parseCallback(callbackSuccess('kie-1', { param: param(callbackUrl) }))).toEqual({
    callbackUrl,
    code: 200,
    ids: ['kie-1'],
    answer: {
      kind: 'update',
      callbackUrl,
      update: {
        state: 'SUCCESS',
        providerTaskId: 'kie-1',
        creditsConsumed: 57,
        videoUrls: ['https://files.example/kie-1.mp4'],
      },
    },
  });
});

test('a failure as kie.ai documents it', () => {
  expect(parseCallback(callbackFail('kie-1'))).toEqual({
    callbackUrl: null,
    code: 501,
    ids: ['kie-1'],
    answer: {
      kind: 'update',
      callbackUrl: null,
      update: {
        state: 'FAIL',
        providerTaskId: 'kie-1',
        creditsConsumed: 0,
        failure: { code: 'SERVER_ERROR', providerCode: '500', message: 'Internal server error' },
      },
    },
  });
});

describe('the ids that a callback names', () => {
  test.each<readonly [what: string, ids: object, data: object | null | undefined, expected: string[]]>([
    ['data.taskId', {}, { taskId: 'a' }, ['a']],
    ['data.task_id', {}, { task_id: 'a' }, ['a']],
    ['the top level alone', { taskId: 'a' }, null, ['a']],
    ['the top level in the other spelling', { task_id: 'a' }, undefined, ['a']],
    ['both levels, as on the page on signatures', { taskId: 'a' }, { task_id: 'a' }, ['a']],
    ['everywhere the same', { taskId: 'a', task_id: 'a' }, { taskId: 'a', task_id: 'a' }, ['a']],
    ['two in data', {}, { taskId: 'a', task_id: 'b' }, ['a', 'b']],
    ['two levels that differ', { taskId: 'b' }, { taskId: 'a' }, ['a', 'b']],
    ['a number', {}, { taskId: 12 }, ['12']],
    ['white space around it', {}, { taskId: ' a ' }, ['a']],
    ['an empty one beside another', { taskId: '' }, { taskId: null, task_id: 'a' }, ['a']],
    ['none', {}, { taskId: '' }, []],
    ['one of a wrong type', { taskId: ['a'] }, { taskId: { id: 'a' } }, []],
    ['data that is a list', {}, [{ taskId: 'a' }], []],
  ])('%s', (_what, top, data, expected) => {
    expect(parseCallback({ code: 200, msg: 'success', ...top, data })?.ids).toEqual(expected);
  });
});

describe('a failure is any callback that has', () => {
  test.each([
    ['a code other than 200 and no state', { code: 500, msg: 'oops', data: { taskId: 'a' } }],
    ['a code other than 200 and a running state', { code: 501, data: { taskId: 'a', state: 'generating' } }],
    ['a code other than 200 as a text', { code: '501', data: { taskId: 'a', state: 'fail' } }],
    ['a code that says nothing in a query', { code: 422, msg: 'no', taskId: 'a', data: null }],
    ['code 200 and state fail', { code: 200, data: { taskId: 'a', state: 'fail' } }],
  ])('%s', (_what, body) => {
    expect(parseCallback(body)).toMatchObject({
      ids: ['a'],
      answer: { kind: 'update', update: { state: 'FAIL', providerTaskId: 'a' } },
    });
  });
});

test('a callback that contradicts itself says nothing', () => {
  const body = { ...callbackSuccess('a'), code: 500 };
  expect(parseCallback(body)).toMatchObject({ ids: ['a'], answer: { kind: 'nothing' } });
});

test.each([
  ['undefined', undefined],
  ['null', null],
  ['a text', 'success'],
  ['a list', [callbackSuccess('a')]],
  ['an object without a code', { data: { taskId: 'a', state: 'success' } }],
  ['a code that is no number', { code: 'OK', data: { taskId: 'a', state: 'success' } }],
  ['a code that is no integer', { code: 200.5, data: { taskId: 'a', state: 'success' } }],
])('%s is no callback', (_what, body) => {
  expect(parseCallback(body)).toBeNull();
});
