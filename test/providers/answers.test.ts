import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseCallback } from '../../src/providers/kie/answers.ts';
import type { Fields } from '../../src/providers/kie/wire.ts';
import type { ProviderCallback, QueryAnswer } from '../../src/tasks/provider.ts';
import {
  callbackFail,
  callbackSuccess,
  created,
  credit,
  failed,
  notVisibleYet,
  param,
  record,
  refused,
  resultJson,
  succeeded,
} from '../kit/kie.ts';
import type { Answer } from '../kit/provider.ts';
import { oncePerFile } from '../kit/waits.ts';
import { createClient, INPUT, startClient } from './kie-client.ts';

const shared = oncePerFile(startClient);

async function answerOf(answer: Answer, id = 'kie-1'): Promise<QueryAnswer> {
  const { kie, provider } = await shared();
  provider.answer('recordInfo', answer);
  return kie.queryTask(id);
}

/** What a callback with this body says; it must be one. */
function readCallback(body: object): ProviderCallback {
  const callback = parseCallback(JSON.stringify(body));
  if (typeof callback === 'string') throw new Error(`the callback is ${callback}`);
  return callback;
}

const VIDEO = 'https://files.example/1.mp4';
const RESULT = resultJson(VIDEO);
const CALLBACK_URL = 'https://gateway.example.test/webhooks/kie/1/token';

test('a query carries the key, a User-Agent, and the id in percent-encoding', async () => {
  const { kie, provider } = await startClient();
  provider.answer('recordInfo', record('kie 1/ö&x'));
  expect(await kie.queryTask('kie 1/ö&x')).toMatchObject({ kind: 'update' });
  const { headers, query } = await provider.received('recordInfo');
  expect(query).toEqual({ taskId: 'kie 1/ö&x' });
  expect(headers).toMatchObject({ authorization: 'Bearer test-key', 'user-agent': 'kineograph/test' });
});

describe('a record of a running task', () => {
  test.each([
    ['waiting', 'WAITING'],
    ['queuing', 'QUEUING'],
    ['generating', 'GENERATING'],
  ])('%s is %s, whatever else it holds', async (state, ours) => {
    const answer = record('kie-1', { state, resultJson: RESULT, failMsg: 'nothing' });
    const update = { state: ours, providerTaskId: 'kie-1', creditsConsumed: null };
    expect(await answerOf(answer)).toEqual({ kind: 'update', callbackUrl: null, update });
  });

  test.each<readonly [what: string, fields: Fields]>([
    ['the unknown state "dreaming"', { state: 'dreaming' }],
    ['the unknown state "constructor"', { state: 'constructor' }],
    ['the unknown state "error"', { state: 'error' }],
    ['the unknown state "rendering"', { state: 'rendering', successFlag: 0 }],
    ['a success without a usable result URL', { state: 'success', creditsConsumed: 57 }],
  ])('with %s is asked again, and remembered', async (reason, fields) => {
    const answer = await answerOf(record('kie-1', { failMsg: 'hm', ...fields }));
    expect(answer).toMatchObject({ kind: 'running', reason, said: { message: 'hm' } });
  });

  test.each([undefined, null, ''])(
    'is read where its optional fields are %j, and not without a state',
    async (value) => {
      const names = [
        'taskId',
        'resultJson',
        'param',
        'failCode',
        'failMsg',
        'creditsConsumed',
        'completeTime',
      ];
      const fields = Object.fromEntries(names.map((name) => [name, value]));
      const update = { state: 'GENERATING', providerTaskId: 'kie-1', creditsConsumed: null };
      const answer = await answerOf(record('kie-1', { state: 'generating', ...fields }));
      expect(answer).toEqual({ kind: 'update', callbackUrl: null, update });
      expect(await answerOf(record('kie-1', { state: value }))).toMatchObject({ kind: 'nothing' });
    },
  );

  test.each([
    ['its address', param(CALLBACK_URL), CALLBACK_URL],
    ['nothing of broken JSON', '{"callBackUrl":', null],
    ['nothing without an address', param(), null],
    ['nothing of a list', '[]', null],
    ['nothing of an object', { callBackUrl: CALLBACK_URL }, null],
  ])('shows of the create call %s', async (_what, value, callbackUrl) => {
    const answer = await answerOf(record('kie-1', { param: value }));
    expect(answer).toMatchObject({ kind: 'update', callbackUrl });
    expect(JSON.stringify(answer)).not.toContain('slow push-in');
  });
});

describe('a success brings its videos', () => {
  test.each<readonly [what: string, fields: Fields]>([
    ['as documented', {}],
    ['in capitals', { state: 'SUCCESS' }],
    ['with white space', { state: ' success\n' }],
    ['as "succeeded"', { state: 'succeeded' }],
    ['as "Completed"', { state: 'Completed' }],
    ['by its flag alone', { state: undefined, successFlag: 1 }],
    ['by its flag, beside an unknown state', { state: 'finalised', successFlag: '1' }],
    ['in JSON in JSON', { resultJson: JSON.stringify(RESULT) }],
    ['in an object', { resultJson: { resultUrls: [VIDEO] } }],
    ['as one address', { resultJson: JSON.stringify({ resultUrls: VIDEO }) }],
    ['as JSON within an object', { resultJson: { resultUrls: JSON.stringify([VIDEO]) } }],
    ['in a response', { resultJson: '', response: { resultUrls: [VIDEO] } }],
    ['beside an empty response', { response: null }],
    ['with white space around one', { resultJson: { resultUrls: [` ${VIDEO}\n`] } }],
    ['among other things', { resultJson: { resultUrls: [null, 7, '', 'x', VIDEO], firstFrameUrl: ['x'] } }],
  ])('%s', async (_what, fields) => {
    const update = { state: 'SUCCESS', providerTaskId: 'kie-1', creditsConsumed: 57, videoUrls: [VIDEO] };
    const answer = await answerOf(succeeded('kie-1', VIDEO, fields));
    expect(answer).toEqual({ kind: 'update', callbackUrl: null, update });
  });

  test('of which there may be several, serialised', async () => {
    const result = resultJson(VIDEO, 'HTTPS://Files.Example:443/a b/ü.mp4');
    const videoUrls = [VIDEO, 'https://files.example/a%20b/%C3%BC.mp4'];
    const answer = await answerOf(succeeded('kie-1', VIDEO, { resultJson: result }));
    expect(answer).toMatchObject({ update: { videoUrls } });
  });

  test.each([
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
    ['broken JSON', '{"resultUrls":["https://files.exa'],
    ['no address', resultJson()],
    ['null instead of addresses', '{"resultUrls":null}'],
    ['a script instead of an address', resultJson('javascript:alert(1)')],
    ['an address with credentials', resultJson('http://user:pw@files.example/1.mp4')],
    ['an address that is too long', resultJson(`https://files.example/${'x'.repeat(2048)}`)],
    ['an address of another scheme', resultJson('ftp://files.example/1.mp4')],
    ['null as JSON', 'null'],
  ])('and is none yet while its result is %s', async (_what, value) => {
    const answer = await answerOf(succeeded('kie-1', VIDEO, { resultJson: value }));
    expect(answer).toMatchObject({ kind: 'running', reason: 'a success without a usable result URL' });
  });

  test.each([
    ['creditsConsumed', { creditsConsumed: 19.2, consumeCredits: 57 }, 19.2],
    ['consumeCredits, its older name', { creditsConsumed: null, consumeCredits: 57 }, 57],
    ['nothing consumed', { creditsConsumed: 0, consumeCredits: 57 }, 0],
    ['a number as a text', { creditsConsumed: '19.2' }, 19.2],
    ['no number', { creditsConsumed: 'many' }, null],
    ['more than any video costs', { creditsConsumed: 1e308 }, null],
    ['the older name where the newer is beyond sense', { creditsConsumed: 2 ** 53, consumeCredits: 57 }, 57],
    ['a text beyond sense', { creditsConsumed: '9'.repeat(400) }, null],
    ['less than nothing', { creditsConsumed: -57 }, null],
    ['neither', { creditsConsumed: undefined }, null],
  ])('and its credits: %s', async (_what, fields, creditsConsumed) => {
    const answer = await answerOf(succeeded('kie-1', VIDEO, fields));
    expect(answer).toMatchObject({ kind: 'update', update: { state: 'SUCCESS', creditsConsumed } });
  });
});

describe('a failure is told', () => {
  const UNEXPLAINED = 'The provider said that the task failed, and not why.';
  const WORDS = `\0\ud800${'é'.repeat(1997)}😀${'x'.repeat(100_000)}`;

  test.each<readonly [what: string, fields: Fields, failure: readonly [string, string | null, string]]>([
    ['with its code', { failCode: '422', failMsg: 'too dark' }, ['INVALID_INPUT', '422', 'too dark']],
    ['with a code as a number', { failCode: 501, failMsg: 'x' }, ['GENERATION_FAILED', '501', 'x']],
    ['with a code that nobody knows', { failCode: 'E-7', failMsg: 'x' }, ['UNKNOWN', 'E-7', 'x']],
    ['without a code', { failCode: null, failMsg: 'x' }, ['GENERATION_FAILED', null, 'x']],
    ['with an empty code', { failCode: '', failMsg: 'x' }, ['GENERATION_FAILED', null, 'x']],
    ['without a message', { failCode: '500', failMsg: null }, ['SERVER_ERROR', '500', UNEXPLAINED]],
    ['in capitals', { state: 'FAIL', failCode: '422', failMsg: 'x' }, ['INVALID_INPUT', '422', 'x']],
    ['as "failed"', { state: 'failed', failCode: '422', failMsg: 'x' }, ['INVALID_INPUT', '422', 'x']],
    [
      'by its flag',
      { state: null, successFlag: 3, failCode: '422', failMsg: 'x' },
      ['INVALID_INPUT', '422', 'x'],
    ],
    [
      'in at most 2,000 characters, none of which breaks a store',
      { failCode: 'c'.repeat(5000), failMsg: WORDS },
      ['UNKNOWN', 'c'.repeat(100), `\ufffd\ufffd${'é'.repeat(1997)}`],
    ],
  ])('%s', async (_what, fields, [code, providerCode, message]) => {
    const answer = await answerOf(failed('kie-1', '', '', fields));
    const failure = { code, providerCode, message };
    expect(answer).toMatchObject({ kind: 'update', update: { state: 'FAIL', failure } });
  });

  test.each([
    [501, 'GENERATION_FAILED'],
    [408, 'PROVIDER_TIMEOUT'],
    [531, 'GENERATION_FAILED'],
  ])('by envelope code %i without any data: %s', async (code, name) => {
    const failure = { code: name, providerCode: String(code), message: 'it is over' };
    const update = { state: 'FAIL', providerTaskId: 'kie-1', creditsConsumed: null, failure };
    for (const body of [
      { code, msg: 'it is over', data: null },
      { code, message: 'it is over' },
    ])
      expect(await answerOf({ body })).toEqual({ kind: 'update', callbackUrl: null, update });
  });

  const CODES = ['400', '401', '402', '404', '408', '422', '429', '433', '455', '500', '501', '505', '531'];
  test.each([...CODES, '4030', 'NSFW', '200', '', null])(
    'alike in the answer to a query and in a callback: failCode %j',
    async (failCode) => {
      const failureOf = (answer?: QueryAnswer) =>
        answer?.kind === 'update' && answer.update.state === 'FAIL' ? answer.update.failure : undefined;
      const data = { taskId: 'kie-1', state: 'fail', failCode, failMsg: 'words', consumeCredits: 0 };
      const asked = failureOf(await answerOf({ body: { code: 200, msg: 'success', data } }));
      const called = readCallback({ code: 501, msg: 'Playground task failed.', data }).answer;
      // Without a code of its own, the envelope's is all that there is.
      expect(failureOf(called)).toEqual({ ...asked, ...(failCode ? {} : { providerCode: '501' }) });
      expect(asked?.message).toBe('words');
    },
  );
});

describe('says nothing about the task:', () => {
  test.each<readonly [what: string, answer: Answer]>([
    ['422 "recordInfo is null"', notVisibleYet()],
    ...[400, 401, 404, 455, 500, 505].map((code): readonly [string, Answer] => [
      `code ${code}`,
      refused(code, 'no'),
    ]),
    ['429', refused(429, 'Rate limit exceeded', { http: 429 })],
    ['another task', succeeded('kie-2')],
    ['two tasks', succeeded('kie-1', VIDEO, { task_id: 'kie-2' })],
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

  test('no answer within the time-out, nor of a provider that is away, which has no balance either', async () => {
    const { kie, provider } = await startClient({ queryTimeoutMs: 100 });
    provider.answer('recordInfo', { hang: true });
    expect(await kie.queryTask('kie-1')).toMatchObject({ kind: 'nothing' });
    await provider.close();
    const away = createClient(provider.url);
    expect([await away.queryTask('kie-1'), await away.credits()]).toMatchObject([{ kind: 'nothing' }, null]);
  });
});

test.each<readonly [what: string, answer: Answer, credits: number | null]>([
  ['a whole number', credit(100), 100],
  ['less than zero', credit(-3.5), -3.5],
  ['a number as a text', { body: { code: 200, msg: 'success', data: '60.62' } }, 60.62],
  ['null', { body: { code: 200, msg: 'success', data: null } }, null],
  ['an empty text', { body: { code: 200, msg: 'success', data: '' } }, null],
  ['an object', { body: { code: 200, msg: 'success', data: { credits: 5 } } }, null],
  ['true', { body: { code: 200, msg: 'success', data: true } }, null],
  ['more than any account has', credit(1e308), null],
  ['far less than zero', credit(-(2 ** 53)), null],
  ['an error with a number', { body: { code: 500, msg: 'oops', data: 100 } }, null],
  ['an HTML page', { status: 502, body: '<html></html>' }, null],
  ['a reset', { reset: true }, null],
])('a balance that comes as %s', async (_what, answer, credits) => {
  const { kie, provider } = await shared();
  provider.answer('credit', answer);
  expect(await kie.credits()).toBe(credits);
});

describe('an answer is read although something in between made it', () => {
  type Packing = readonly [what: string, headers: Record<string, string>, pack: (bytes: Buffer) => Buffer];
  test.each<Packing>([
    ['gzip', { 'content-encoding': 'gzip' }, gzipSync],
    ['gzip, unsaid', {}, gzipSync],
    ['deflate', { 'content-encoding': 'deflate' }, deflateSync],
    ['deflate without a wrapper', { 'content-encoding': 'deflate' }, deflateRawSync],
    ['Brotli', { 'content-encoding': 'br' }, brotliCompressSync],
    ['a byte order mark', {}, (bytes) => Buffer.concat([Buffer.from('\ufeff'), bytes])],
  ])('%s', async (_what, headers, pack) => {
    const { kie, provider } = await startClient();
    const packed = ({ body }: Answer): Answer => ({ headers, body: pack(Buffer.from(JSON.stringify(body))) });
    provider.answer('createTask', packed(created('kie-1')));
    provider.answer('recordInfo', packed(succeeded('kie-1')));
    provider.answer('credit', packed(credit(7)));
    expect(await kie.createTask(INPUT, null)).toEqual({ kind: 'accepted', providerTaskId: 'kie-1' });
    expect(await kie.queryTask('kie-1')).toMatchObject({ kind: 'update' });
    expect(await kie.credits()).toBe(7);
    for (const { headers: sent } of provider.requests()) expect(sent['accept-encoding']).toBe('identity');
  });

  test('unless it unpacks to more than 1 MiB', async () => {
    const { kie, provider } = await shared();
    const more = 'x'.repeat(2 ** 21);
    const body = gzipSync(JSON.stringify({ code: 200, data: { taskId: 'kie-1' }, more }));
    provider.answer('createTask', { headers: { 'content-encoding': 'gzip' }, body });
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'unknown' });
  });

  test('and its task id, a number of 18 digits, is taken digit by digit, wherever it stands', async () => {
    const LONG = '123456789012345678';
    const { kie, provider } = await shared();
    provider.answer('createTask', { body: `{"code":200,"data":{"taskId" : ${LONG}}}` });
    expect(await kie.createTask(INPUT, null)).toEqual({ kind: 'accepted', providerTaskId: LONG });
    const body = JSON.stringify(succeeded('ID').body).replace('"ID"', LONG);
    expect(await answerOf({ body }, LONG)).toMatchObject({ update: { providerTaskId: LONG } });
  });
});

describe('a callback', () => {
  test('of a success, and of a failure, is read as kie.ai documents it', () => {
    expect(readCallback(callbackSuccess('kie-1', { param: param(CALLBACK_URL) }))).toEqual({
      callbackUrl: CALLBACK_URL,
      code: 200,
      ids: ['kie-1'],
      answer: {
        kind: 'update',
        callbackUrl: CALLBACK_URL,
        update: {
          state: 'SUCCESS',
          providerTaskId: 'kie-1',
          creditsConsumed: 57,
          videoUrls: ['https://files.example/kie-1.mp4'],
        },
      },
    });
    const failure = { code: 'SERVER_ERROR', providerCode: '500', message: 'Internal server error' };
    const update = { state: 'FAIL', providerTaskId: 'kie-1', creditsConsumed: 0, failure };
    const answer = { kind: 'update', callbackUrl: null, update };
    const expected = { callbackUrl: null, code: 501, ids: ['kie-1'], answer };
    expect(readCallback(callbackFail('kie-1'))).toEqual(expected);
  });

  test.each<readonly [what: string, ids: object, data: object | null | undefined, expected: string[]]>([
    ['data.taskId', {}, { taskId: 'a' }, ['a']],
    ['data.task_id', {}, { task_id: 'a' }, ['a']],
    ['the top level alone', { taskId: 'a' }, null, ['a']],
    ['the top level in the other spelling', { task_id: 'a' }, undefined, ['a']],
    ['both levels, as on the page on signatures', { taskId: 'a' }, { task_id: 'a' }, ['a']],
    ['two in data', {}, { taskId: 'a', task_id: 'b' }, ['a', 'b']],
    ['two levels that differ', { taskId: 'b' }, { taskId: 'a' }, ['a', 'b']],
    ['a number', {}, { taskId: 12 }, ['12']],
    ['white space around it', {}, { taskId: ' a ' }, ['a']],
    ['an empty one beside another', { taskId: '' }, { taskId: null, task_id: 'a' }, ['a']],
    ['none', {}, { taskId: '' }, []],
    ['one of a wrong type', { taskId: ['a'] }, { taskId: { id: 'a' } }, []],
    ['one that no store or address takes', {}, { taskId: 'a\0b', task_id: 'x'.repeat(256) }, []],
    ['data that is a list', {}, [{ taskId: 'a' }], []],
  ])('names the task by %s', (_what, top, data, expected) => {
    expect(readCallback({ code: 200, msg: 'success', ...top, data }).ids).toEqual(expected);
  });

  test.each([
    ['a code other than 200 and no state', { code: 500, msg: 'oops', data: { taskId: 'a' } }],
    ['a code other than 200 and a running state', { code: 501, data: { taskId: 'a', state: 'generating' } }],
    ['a code other than 200 as a text', { code: '501', data: { taskId: 'a', state: 'fail' } }],
    ['a code that says nothing in a query', { code: 422, msg: 'no', taskId: 'a', data: null }],
    ['code 200 and state fail', { code: 200, data: { taskId: 'a', state: 'fail' } }],
  ])('tells of a failure by %s', (_what, body) => {
    const answer = { kind: 'update', update: { state: 'FAIL', providerTaskId: 'a' } };
    expect(readCallback(body)).toMatchObject({ ids: ['a'], answer });
  });

  test('that contradicts itself says nothing', () => {
    const body = { ...callbackSuccess('a'), code: 500 };
    expect(readCallback(body)).toMatchObject({ ids: ['a'], answer: { kind: 'nothing' } });
  });

  test.each([
    [null],
    ['success'],
    [[callbackSuccess('a')]],
    [{ data: { taskId: 'a', state: 'success' } }],
    [{ code: 'OK', data: { taskId: 'a', state: 'success' } }],
    [{ code: 200.5, data: { taskId: 'a', state: 'success' } }],
  ])('is not %j', (body) => {
    expect(parseCallback(JSON.stringify(body))).toBe('other');
  });

  test.each(['', 'success', '{"code":200'])('is not %j, which is no JSON', (body) => {
    expect(parseCallback(body)).toBe('not-json');
  });
});
