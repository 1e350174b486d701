import { describe, expect, test } from 'vitest';
import type { QueryAnswer } from '../../src/tasks/provider.ts';
import { failed, notVisibleYet, record, refused, succeeded, param, resultJson } from '../kit/kie.ts';
import type { Answer } from '../kit/provider.ts';
import { parseCallback } from '../../src/providers/kie/answers.ts';
import { startClient } from './kie-client.ts';

async function answerOf(answer: Answer): Promise<QueryAnswer> {
  const { kie, provider } = await startClient();
  provider.answer('recordInfo', answer);
  return kie.queryTask('kie-1');
}

function failureOf(answer: QueryAnswer | undefined) {
  return answer?.kind === 'update' && answer.update.state === 'FAIL' ? answer.update.failure : undefined;
}

const UNEXPLAINED = 'The provider said that the task failed, and not why.';
const VIDEO = 'https://files.example/1.mp4';

describe('the state of a record', () => {
  test.each([
    ['waiting', 'WAITING'],
    ['queuing', 'QUEUING'],
    ['generating', 'GENERATING'],
  ])('%s is %s, whatever else the record holds', async (state, ours) => {
    const answer = record('kie-1', { state, resultJson: resultJson(VIDEO), failMsg: 'nothing' });
    const update = { state: ours, providerTaskId: 'kie-1', creditsConsumed: null };
    expect(await answerOf(answer)).toEqual({ kind: 'update', callbackUrl: null, update });
  });

  test('success brings the videos', async () => {
    const update = {
      state: 'SUCCESS',
      providerTaskId: 'kie-1',
      creditsConsumed: 57,
      videoUrls: ['https://files.example/kie-1.mp4'],
    };
    expect(await answerOf(succeeded('kie-1'))).toEqual({ kind: 'update', callbackUrl: null, update });
  });

  test('one that nobody knows counts as running', async () => {
    const reason = 'the unknown state "dreaming"';
    expect(await answerOf(record('kie-1', { state: 'dreaming' }))).toMatchObject({ kind: 'running', reason });
    // Names that every object has are no states.
    expect(await answerOf(record('kie-1', { state: 'constructor' }))).toMatchObject({ kind: 'running' });
  });

  test.each([
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
  ])('one that is %s says nothing', async (_what, state) => {
    expect(await answerOf(record('kie-1', { state }))).toMatchObject({ kind: 'nothing' });
  });
});

describe('a record is read whatever is missing in it', () => {
  test.each([
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
  ])('optional fields that are %s', async (_what, value) => {
    const fields = {
      taskId: value,
      resultJson: value,
      param: value,
      failCode: value,
      failMsg: value,
      creditsConsumed: value,
      consumeCredits: value,
      completeTime: value,
    };
    const update = { state: 'GENERATING', providerTaskId: 'kie-1', creditsConsumed: null };
    const answer = record('kie-1', { state: 'generating', ...fields });
    expect(await answerOf(answer)).toEqual({ kind: 'update', callbackUrl: null, update });
  });

  test('an answer about another task says nothing about this one', async () => {
    expect(await answerOf(succeeded('kie-2'))).toMatchObject({ kind: 'nothing' });
    expect(await answerOf(succeeded('kie-1', VIDEO, { task_id: 'kie-2' }))).toMatchObject({
      kind: 'nothing',
    });
  });

  test('the address that it calls back is taken from param, and nothing else of it', async () => {
    const callbackUrl = 'https://gateway.example.test/webhooks/kie/1/token';
    const answer = await answerOf(record('kie-1', { param: param(callbackUrl) }));
    expect(answer).toMatchObject({ kind: 'update', callbackUrl });
    expect(JSON.stringify(answer)).not.toContain('slow push-in');
  });

  test.each([
    ['no JSON', '{"callBackUrl":'],
    ['without an address', param()],
    ['a list', '[]'],
    ['an object instead of a text', { callBackUrl: 'https://gateway.example.test' }],
  ])('a param that is %s shows no address', async (_what, value) => {
    const answer = await answerOf(record('kie-1', { param: value }));
    expect(answer).toMatchObject({ kind: 'update', callbackUrl: null });
  });
});

describe('the result of a success', () => {
  test.each([
    ['one address', resultJson(VIDEO), [VIDEO]],
    ['several addresses', resultJson(VIDEO, `${VIDEO}?2`), [VIDEO, `${VIDEO}?2`]],
    ['an object instead of a text', { resultUrls: [VIDEO] }, [VIDEO]],
    ['more than addresses', JSON.stringify({ resultUrls: [VIDEO], firstFrameUrl: ['x'] }), [VIDEO]],
    ['addresses beside rubbish', JSON.stringify({ resultUrls: [null, 7, '', 'x', VIDEO] }), [VIDEO]],
  ])('with %s is usable', async (_what, value, videoUrls) => {
    const answer = await answerOf(succeeded('kie-1', VIDEO, { resultJson: value }));
    expect(answer).toMatchObject({ kind: 'update', update: { state: 'SUCCESS', videoUrls } });
  });

  test.each([
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
    ['broken JSON', '{"resultUrls":["https://files.exa'],
    ['no address', resultJson()],
    ['null instead of addresses', '{"resultUrls":null}'],
    ['a script instead of an address', resultJson('javascript:alert(1)')],
    ['a text result', '{"resultObject":{}}'],
    ['null as JSON', 'null'],
  ])('that is %s is none yet: the task counts as running', async (_what, value) => {
    const answer = await answerOf(succeeded('kie-1', VIDEO, { resultJson: value }));
    expect(answer).toMatchObject({ kind: 'running', reason: 'a success without a usable result URL' });
  });
});

describe('what a record says of credits', () => {
  test.each([
    ['creditsConsumed', { creditsConsumed: 57 }, 57],
    ['consumeCredits, its older name', { creditsConsumed: undefined, consumeCredits: 57 }, 57],
    ['the newer name first', { creditsConsumed: 19.2, consumeCredits: 57 }, 19.2],
    ['the older name where the newer is null', { creditsConsumed: null, consumeCredits: 57 }, 57],
    ['nothing consumed', { creditsConsumed: 0, consumeCredits: 57 }, 0],
    ['a number as a text', { creditsConsumed: '19.2' }, 19.2],
    ['no number', { creditsConsumed: 'many' }, null],
    ['more than any video costs', { creditsConsumed: 1e308 }, null],
    ['the older name where the newer is beyond sense', { creditsConsumed: 2 ** 53, consumeCredits: 57 }, 57],
    ['a text beyond sense', { creditsConsumed: '9'.repeat(400) }, null],
    ['less than nothing', { creditsConsumed: -57 }, null],
    ['neither', { creditsConsumed: undefined }, null],
  ])('is read: %s', async (_what, fields, creditsConsumed) => {
    const answer = await answerOf(succeeded('kie-1', VIDEO, fields));
    expect(answer).toMatchObject({ kind: 'update', update: { state: 'SUCCESS', creditsConsumed } });
  });
});

describe('the failure in a record', () => {
  test.each([
    ['its code and message', { failCode: '422', failMsg: 'too dark' }, ['INVALID_INPUT', '422', 'too dark']],
    ['a code as a number', { failCode: 501, failMsg: 'x' }, ['GENERATION_FAILED', '501', 'x']],
    ['a code that nobody knows', { failCode: 'E-7', failMsg: 'x' }, ['UNKNOWN', 'E-7', 'x']],
    ['no code', { failCode: null, failMsg: 'x' }, ['GENERATION_FAILED', null, 'x']],
    ['an empty code', { failCode: '', failMsg: 'x' }, ['GENERATION_FAILED', null, 'x']],
    ['no message', { failCode: '500', failMsg: null }, ['SERVER_ERROR', '500', UNEXPLAINED]],
  ])('is told with %s', async (_what, fields, [code, providerCode, message]) => {
    const answer = await answerOf(failed('kie-1', '', '', fields));
    const failure = { code, providerCode, message };
    expect(answer).toMatchObject({ kind: 'update', update: { state: 'FAIL', failure } });
  });

  test.each([
    [501, 'GENERATION_FAILED'],
    [408, 'PROVIDER_TIMEOUT'],
    [531, 'GENERATION_FAILED'],
  ])('is envelope code %i without any data: %s', async (code, name) => {
    const failure = { code: name, providerCode: String(code), message: 'it is over' };
    const update = { state: 'FAIL', providerTaskId: 'kie-1', creditsConsumed: null, failure };
    expect(await answerOf(refused(code, 'it is over'))).toEqual({
      kind: 'update',
      callbackUrl: null,
      update,
    });
    expect(await answerOf({ body: { code, message: 'it is over' } })).toMatchObject({ update: { failure } });
  });

  const CODES = ['400', '401', '402', '404', '408', '422', '429', '433', '455', '500', '501', '505', '531'];
  test.each([...CODES, '4030', 'NSFW', '200', '', null])(
    'reads the same in the answer to a query and in a callback: failCode %j',
    async (failCode) => {
      const data = { taskId: 'kie-1', state: 'fail', failCode, failMsg: 'words', consumeCredits: 0 };
      const asked = await answerOf({ body: { code: 200, msg: 'success', data } });
      const called = parseCallback({ code: 501, msg: 'Playground task failed.', data })?.answer;
      // Without a code of its own, the envelope's is all that there is.
      const providerCode = failCode ? {} : { providerCode: '501' };
      expect(failureOf(called)).toEqual({ ...failureOf(asked), ...providerCode });
      expect(failureOf(asked)?.message).toBe('words');
    },
  );
});

describe('says nothing about the task:', () => {
  test.each<readonly [what: string, answer: Answer]>([
    ['422 "recordInfo is null"', notVisibleYet()],
    ['404', refused(404, 'Task not found')],
    ['400', refused(400, 'taskId parameter is required')],
    ['401', refused(401, 'You do not have access permissions')],
    ['429', refused(429, 'Rate limit exceeded', { http: 429 })],
    ['455', refused(455, 'maintenance')],
    ['500', refused(500, 'oops')],
    ['505', refused(505, 'disabled')],
    ['an HTML page under HTTP 200', { body: '<html></html>' }],
    ['an HTML page under HTTP 502', { status: 502, body: '<html></html>' }],
    ['an empty answer', {}],
    ['a task id alone', { body: { code: 200, msg: 'success', data: { taskId: 'kie-1' } } }],
    ['code 200 without data', { body: { code: 200, msg: 'success', data: null } }],
    ['code 200 with a list', { body: { code: 200, msg: 'success', data: [] } }],
    ['a connection that is reset', { reset: true }],
    ['half an answer', { ...succeeded('kie-1'), cutBodyAfterBytes: 40 }],
    ['a redirect', { status: 302, headers: { location: 'https://files.example' } }],
  ])('%s', async (_what, answer) => {
    expect(await answerOf(answer)).toMatchObject({ kind: 'nothing', reason: expect.any(String) as string });
  });

  test('no answer within the time-out', async () => {
    const { kie, provider } = await startClient({ queryTimeoutMs: 100 });
    provider.answer('recordInfo', { hang: true });
    expect(await kie.queryTask('kie-1')).toMatchObject({ kind: 'nothing' });
  });
});
