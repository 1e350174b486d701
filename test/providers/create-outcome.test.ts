import { describe, expect, test } from 'vitest';
import type { CreateOutcome } from '../../src/tasks/provider.ts';
import { created, refused } from '../kit/kie.ts';
import type { Answer } from '../kit/provider.ts';
import { INPUT, startClient } from './kie-client.ts';

/** The outcome of a create call that the provider answers so; it must have been sent exactly once. */
async function outcomeOf(answer: Answer): Promise<CreateOutcome> {
  const { kie, provider } = await startClient();
  provider.answer('createTask', answer);
  const outcome = await kie.createTask(INPUT, null);
  expect(provider.requests()).toHaveLength(1);
  return outcome;
}

const HTML = { headers: { 'content-type': 'text/html' }, body: '<html><body>Sorry.</body></html>' };

describe('a create call is accepted by', () => {
  test.each<readonly [what: string, answer: Answer]>([
    ['code 200 with a task id', created('kie-1')],
    ['code "200" as a string', { body: { code: '200', msg: 'success', data: { taskId: 'kie-1' } } }],
    ['an id that is spelt task_id', { body: { code: 200, msg: 'success', data: { task_id: 'kie-1' } } }],
    [
      'an answer with a recordId and "message"',
      { body: { code: 200, message: 'ok', data: { taskId: 'kie-1', recordId: 'r-1' } } },
    ],
    ['an envelope under HTTP 500, which it wins over', { ...created('kie-1'), status: 500 }],
    ['an envelope under HTTP 429, which it wins over', { ...created('kie-1'), status: 429 }],
    ['an id beside the data', { body: { code: 200, taskId: 'kie-1' } }],
    ...[402, 422, 429, 455, 500, 501].map((code): readonly [string, Answer] => [
      `a task id, although the code is ${code}`,
      { body: { ...bodyOf(created('kie-1')), code } },
    ]),
  ])('%s', async (_what, answer) => {
    expect(await outcomeOf(answer)).toEqual({ kind: 'accepted', providerTaskId: 'kie-1' });
  });
});

describe('a create call is refused, so that nothing was created, by', () => {
  const codes = [
    [400, 'INVALID_INPUT'],
    [401, 'UNAUTHORIZED'],
    [402, 'INSUFFICIENT_CREDITS'],
    [404, 'NOT_FOUND'],
    [418, 'UNKNOWN'],
    [422, 'INVALID_INPUT'],
    [433, 'QUOTA_EXCEEDED'],
    [501, 'GENERATION_FAILED'],
    [505, 'FEATURE_DISABLED'],
    [4030, 'UNKNOWN'],
  ] as const;

  test.each(codes)('envelope code %i under HTTP 200: %s', async (code, name) => {
    const failure = { code: name, providerCode: String(code), message: 'no, thank you' };
    expect(await outcomeOf(refused(code, 'no, thank you'))).toEqual({ kind: 'refused', failure });
  });

  test.each(codes)('envelope code %i under an HTTP status of its own: %s', async (code, name) => {
    const answer = refused(code, 'no, thank you', { http: code === 4030 ? 403 : code });
    expect(await outcomeOf(answer)).toMatchObject({ kind: 'refused', failure: { code: name } });
  });

  test('a code as a string', async () => {
    const failure = { code: 'INSUFFICIENT_CREDITS', providerCode: '402', message: 'top up' };
    expect(await outcomeOf(refused('402', 'top up'))).toEqual({ kind: 'refused', failure });
  });

  test.each([
    ['a message in the field "message"', { code: 422, message: 'too long' }, 'too long'],
    ['no message at all', { code: 422 }, 'The provider answered with code 422 and no message.'],
    ['an empty message', { code: 422, msg: '' }, 'The provider answered with code 422 and no message.'],
  ])('an envelope with %s', async (_what, body, message) => {
    expect(await outcomeOf({ body })).toMatchObject({ kind: 'refused', failure: { message } });
  });

  test.each([
    ['hush-hush', 'the key hush-hush is new', 'the key [redacted] is new'],
    ['any', 'too many pixels', 'too many pixels'],
  ])('a message, without the key %s unless it is too short to be one', async (apiKey, said, message) => {
    const { kie, provider } = await startClient({ apiKey });
    provider.answer('createTask', refused(422, said));
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'refused', failure: { message } });
  });

  test('an envelope that says no under HTTP 429 and 500, which it wins over', async () => {
    for (const http of [429, 500]) {
      const failure = { code: 'INSUFFICIENT_CREDITS' };
      expect(await outcomeOf(refused(402, 'top up', { http }))).toMatchObject({ kind: 'refused', failure });
    }
  });
});

describe('a create call may be sent again after', () => {
  test.each<readonly [what: string, answer: Answer, code: string]>([
    ['envelope code 429', refused(429, 'slow down'), 'RATE_LIMITED'],
    ['envelope code 455', refused(455, 'back soon'), 'MAINTENANCE'],
    ['envelope code 429 under HTTP 429', refused(429, 'slow down', { http: 429 }), 'RATE_LIMITED'],
    ['envelope code 455 under HTTP 503', refused(455, 'back soon', { http: 503 }), 'MAINTENANCE'],
    ['envelope code "429" as a string', refused('429', 'slow down'), 'RATE_LIMITED'],
    ['an HTML page under HTTP 429', { ...HTML, status: 429 }, 'RATE_LIMITED'],
    ['nothing under HTTP 429', { status: 429 }, 'RATE_LIMITED'],
    ['JSON of somebody else under HTTP 429', { status: 429, body: { message: 'slow down' } }, 'RATE_LIMITED'],
    ['a task id of null', { body: { code: 429, msg: 'slow down', data: { taskId: null } } }, 'RATE_LIMITED'],
    ['HTTP 429 with half a body', { ...HTML, status: 429, cutBodyAfterBytes: 4 }, 'RATE_LIMITED'],
  ])('%s', async (_what, answer, code) => {
    expect(await outcomeOf(answer)).toMatchObject({
      kind: 'not-now',
      retryAfterMs: null,
      failure: { code, providerCode: code === 'MAINTENANCE' ? '455' : '429' },
    });
  });

  test('as many seconds as Retry-After says', async () => {
    const answer = { ...refused(429, 'slow down', { http: 429 }), headers: { 'retry-after': '7' } };
    expect(await outcomeOf(answer)).toMatchObject({ kind: 'not-now', retryAfterMs: 7000 });
  });

  test('the moment that Retry-After names', async () => {
    const before = Date.now();
    const at = new Date(before + 120_000).toUTCString();
    const outcome = await outcomeOf({ ...HTML, status: 429, headers: { 'retry-after': at } });
    if (outcome.kind !== 'not-now') throw new Error(outcome.kind);
    expect(outcome.retryAfterMs).toBeLessThanOrEqual(Date.parse(at) - before);
    expect(outcome.retryAfterMs).toBeGreaterThan(Date.parse(at) - before - 30_000);
  });

  test.each([
    ['a moment that has passed: at once', 'Sun, 06 Nov 1994 08:49:37 GMT', 0],
    ['nonsense: no advice', 'soon', null],
  ])('a Retry-After with %s', async (_what, header, retryAfterMs) => {
    const answer = { ...refused(455, 'back soon'), headers: { 'retry-after': header } };
    expect(await outcomeOf(answer)).toMatchObject({ kind: 'not-now', retryAfterMs });
  });
});

describe('nobody knows what became of a create call, so it is never sent again, after', () => {
  test.each<readonly [what: string, answer: Answer]>([
    ['envelope code 500', refused(500, 'oops')],
    ['envelope code 408', refused(408, 'no result')],
    ['envelope code 503', refused(503, 'busy')],
    ['envelope code 531', refused(531, 'failed')],
    ['a code that nobody knows', refused(7, 'seven')],
    ['envelope code "500" as a string', refused('500', 'oops')],
    ['an HTML page under HTTP 500', { ...HTML, status: 500 }],
    ['an HTML page under HTTP 502', { ...HTML, status: 502 }],
    ['an HTML page under HTTP 503', { ...HTML, status: 503 }],
    ['an HTML page under HTTP 401', { ...HTML, status: 401 }],
    ['a page of a proxy under HTTP 403', { status: 403, body: 'error code: 1010' }],
    ['an HTML page under HTTP 404', { ...HTML, status: 404 }],
    ['an HTML page under HTTP 200', HTML],
    ['envelope code 500 under HTTP 429', refused(500, 'oops', { http: 429 })],
    ['code 200 without a task id under HTTP 429', { status: 429, body: { code: 200 } }],
    ['half an envelope with a task id under HTTP 429', { status: 429, body: '{"code":429,"taskId":"ki' }],
    ['two task ids', { body: { code: 429, taskId: 'kie-1', data: { taskId: 'kie-2' } } }],
    ['a task id that is too long', { body: { code: 402, data: { taskId: 'x'.repeat(256) } } }],
    ['a task id in an unknown place', { body: { code: 455, data: { task: { task_id: 7 } } } }],
    ['code 200 without data', { body: { code: 200, msg: 'success', data: null } }],
    ['code 200 without a task id', { body: { code: 200, msg: 'success', data: {} } }],
    ['code 200 with an empty task id', created('')],
    ['an answer that is half JSON', { body: '{"code":200,"data":{"taskId":"kie-1"' }],
    ['JSON that is no envelope', { body: { taskId: 'kie-1' } }],
    ['JSON that is null', { body: 'null' }],
    ['an empty answer', {}],
    ['an answer larger than 1 MiB', { body: { ...bodyOf(created('kie-1')), more: 'x'.repeat(2 ** 20) } }],
    ['a connection closed without an answer', { cutAfterBytes: 0 }],
    ['a connection closed in the middle of the head', { ...created('kie-1'), cutAfterBytes: 12 }],
    ['a connection closed in the middle of the body', { ...created('kie-1'), cutBodyAfterBytes: 10 }],
    ['a connection that is reset', { reset: true }],
  ])('%s', async (_what, answer) => {
    expect(await outcomeOf(answer)).toMatchObject({ kind: 'unknown', reason: expect.any(String) as string });
  });

  test('no answer within the time-out, and the connection is given up', async () => {
    const { kie, provider } = await startClient({ createTimeoutMs: 1000 });
    provider.answer('createTask', { hang: true });
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'unknown' });
    await (
      await provider.received('createTask')
    ).closed;
    expect(provider.requests()).toHaveLength(1);
  });

  test('an answer that stops halfway for longer than the time-out', async () => {
    const { kie, provider } = await startClient({ createTimeoutMs: 1000 });
    // More is announced than sent, and the connection stays open.
    const headers = { 'content-length': '1000' };
    provider.answer('createTask', { headers, body: '{"code":200,' });
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'unknown' });
  });
});

function bodyOf({ body }: Answer): object {
  return body as object;
}
