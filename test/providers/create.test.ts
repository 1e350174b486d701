import { describe, expect, it, test } from 'vitest';
import type { CreateOutcome } from '../../src/tasks/provider.ts';
import { created, credit, record, refused } from '../kit/kie.ts';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { oncePerFile } from '../kit/waits.ts';
import { createClient, INPUT, startClient } from './kie-client.ts';

const UNREACHABLE = {
  kind: 'not-now',
  failure: { code: 'UNREACHABLE', providerCode: null, message: 'The provider is unreachable.' },
  retryAfterMs: null,
};

const shared = oncePerFile(startClient);

/** The outcome of a create call that the provider answers so; it must have been sent exactly once. */
async function outcomeOf(answer: Answer): Promise<CreateOutcome> {
  const { kie, provider } = await shared();
  const before = provider.requests().length;
  provider.answer('createTask', answer);
  const outcome = await kie.createTask(INPUT, null);
  expect(provider.requests()).toHaveLength(before + 1);
  return outcome;
}

describe('a create call', () => {
  it('carries the key, a User-Agent and the input in the form that kie.ai documents', async () => {
    const { kie, provider } = await startClient();
    provider.always('createTask', created('kie-1'));
    const input = { ...INPUT, endImageUrl: 'https://files.example/last.png', promptOptimizer: false };
    await kie.createTask(input, 'https://gateway.example.test/webhooks/kie/1/token');
    await kie.createTask(INPUT, null);
    const { body, headers } = await provider.received('createTask');
    expect(headers).toMatchObject({
      authorization: 'Bearer test-key',
      'user-agent': 'kineograph/test',
      'content-type': 'application/json',
    });
    const required = { prompt: 'slow push-in, snow falling', image_url: 'https://files.example/first.png' };
    const model = 'hailuo/02-image-to-video-pro';
    expect(body).toEqual({
      model,
      callBackUrl: 'https://gateway.example.test/webhooks/kie/1/token',
      input: { ...required, end_image_url: 'https://files.example/last.png', prompt_optimizer: false },
    });
    // What was not given is left out.
    expect((await provider.received('createTask')).body).toEqual({ model, input: required });
  });

  it('has a connection of its own, which nothing used before and nothing uses after', async () => {
    const { kie, provider } = await startClient();
    provider.always('recordInfo', record('kie-1'));
    provider.always('createTask', created('kie-1'));
    await kie.queryTask('kie-1');
    await kie.createTask(INPUT, null);
    await kie.queryTask('kie-1');
    await kie.createTask(INPUT, null);
    const [query, first, laterQuery, second] = provider.requests().map(({ remotePort }) => remotePort);
    // The queries' own connection was kept, so there was one to be tempted by.
    expect(laterQuery).toBe(query);
    expect(new Set([query, first, second]).size).toBe(3);
    for (const request of provider.requests('createTask')) await request.closed;
  });

  it.each([301, 302, 303, 307, 308])('does not follow a redirect with HTTP %i', async (status) => {
    const elsewhere = await startFakeProvider();
    const headers = { location: `${elsewhere.url}/api/v1/jobs/createTask` };
    expect(await outcomeOf({ status, headers })).toMatchObject({ kind: 'unknown' });
    expect(elsewhere.requests()).toEqual([]);
  });

  it('could not reach the provider, which got nothing, when a connection, a name or TLS fails', async () => {
    const [closed, plain] = [await startFakeProvider(), await startFakeProvider()];
    await closed.close();
    for (const url of [closed.url, 'http://kie.invalid', plain.url.replace('http:', 'https:')])
      expect(await createClient(url).createTask(INPUT, null), url).toEqual(UNREACHABLE);
    expect(plain.requests()).toEqual([]);
  });

  it('is tried again once a provider that could not be reached may be back', async () => {
    const before = await startFakeProvider();
    await before.close();
    const kie = createClient(before.url, { breakerRetryMs: 0 });
    for (let call = 0; call < 8; call += 1) expect(await kie.createTask(INPUT, null)).toEqual(UNREACHABLE);
    const provider = await startFakeProvider({ port: before.port });
    provider.always('createTask', created('kie-1'));
    const accepted = { kind: 'accepted', providerTaskId: 'kie-1' };
    for (let call = 0; call < 2; call += 1) expect(await kie.createTask(INPUT, null)).toEqual(accepted);
  });
});

const HTML = { headers: { 'content-type': 'text/html' }, body: '<html><body>Sorry.</body></html>' };
const ACCEPTED = created('kie-1').body as object;

test.each<readonly [what: string, answer: Answer]>([
  ['code 200 with a task id', created('kie-1')],
  ['code "200" as a string', { body: { code: '200', msg: 'success', data: { taskId: 'kie-1' } } }],
  ['an id that is spelt task_id', { body: { code: 200, data: { task_id: 'kie-1', recordId: 'r-1' } } }],
  ['an envelope under HTTP 500, which it wins over', { ...created('kie-1'), status: 500 }],
  ['an envelope under HTTP 429, which it wins over', { ...created('kie-1'), status: 429 }],
  ['an id beside the data', { body: { code: 200, taskId: 'kie-1' } }],
  ...[402, 422, 429, 455, 500, 501].map((code): readonly [string, Answer] => [
    `a task id, although the code is ${code}`,
    { body: { ...ACCEPTED, code } },
  ]),
])('a create call is accepted by %s', async (_what, answer) => {
  expect(await outcomeOf(answer)).toEqual({ kind: 'accepted', providerTaskId: 'kie-1' });
});

describe('a create call is refused, so that nothing was created, by', () => {
  test.each([
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
  ])('envelope code %i under any HTTP status: %s', async (code, name) => {
    const failure = { code: name, providerCode: String(code), message: 'no, thank you' };
    for (const http of [200, code === 4030 ? 403 : code, 429, 500])
      expect(await outcomeOf(refused(code, 'no, thank you', { http }))).toEqual({ kind: 'refused', failure });
  });

  test.each<readonly [what: string, body: object, message: string]>([
    ['a code as a string', { code: '422', msg: 'too long' }, 'too long'],
    ['a message in the field "message"', { code: 422, message: 'too long' }, 'too long'],
    ['a message without the key', { code: 422, msg: 'test-key is new' }, '[redacted] is new'],
    ['an empty message', { code: 422, msg: '' }, 'The provider answered with code 422 and no message.'],
  ])('an envelope with %s', async (_what, body, message) => {
    const failure = { code: 'INVALID_INPUT', providerCode: '422', message };
    expect(await outcomeOf({ body })).toEqual({ kind: 'refused', failure });
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
    const failure = { code, providerCode: code === 'MAINTENANCE' ? '455' : '429' };
    expect(await outcomeOf(answer)).toMatchObject({ kind: 'not-now', retryAfterMs: null, failure });
  });

  test.each<readonly [what: string, header: () => string, least: number | null, most: number | null]>([
    ['so many seconds', () => '7', 7000, 7000],
    ['a moment', () => new Date(Date.now() + 120_000).toUTCString(), 90_000, 120_000],
    ['a moment that has passed', () => 'Sun, 06 Nov 1994 08:49:37 GMT', 0, 0],
    ['nonsense, which is no advice', () => 'soon', null, null],
    ['a year, of which a day is enough', () => '31536000', 86_400_000, 86_400_000],
  ])('a Retry-After of %s', async (_what, header, least, most) => {
    const outcome = await outcomeOf({ ...HTML, status: 429, headers: { 'retry-after': header() } });
    const retryAfterMs = 'retryAfterMs' in outcome ? outcome.retryAfterMs : undefined;
    if (least === null || most === null) expect(retryAfterMs).toBeNull();
    else expect(least <= Number(retryAfterMs) && Number(retryAfterMs) <= most).toBe(true);
  });
});

describe('nobody knows what became of a create call, so it is never sent again, after', () => {
  test.each<readonly [what: string, answer: Answer]>([
    ['envelope code 500', refused(500, 'oops')],
    ['envelope code "500" as a string', refused('500', 'oops')],
    ['envelope code 408', refused(408, 'no result')],
    ['envelope code 503', refused(503, 'busy')],
    ['envelope code 531', refused(531, 'failed')],
    ['a code that nobody knows', refused(7, 'seven')],
    ...[200, 401, 404, 500, 502, 503].map((status): readonly [string, Answer] => [
      `an HTML page under HTTP ${status}`,
      { ...HTML, status },
    ]),
    ['a page of a proxy under HTTP 403', { status: 403, body: 'error code: 1010' }],
    ['envelope code 500 under HTTP 429', refused(500, 'oops', { http: 429 })],
    ['code 200 without a task id under HTTP 429', { status: 429, body: { code: 200 } }],
    ['half an envelope with a task id under HTTP 429', { status: 429, body: '{"code":429,"taskId":"ki' }],
    ['two task ids', { body: { code: 429, taskId: 'kie-1', data: { taskId: 'kie-2' } } }],
    ['a task id that is too long', { body: { code: 402, data: { taskId: 'x'.repeat(256) } } }],
    ['a task id with a control character', { body: { code: 200, data: { taskId: 'a\0b' } } }],
    ['a task id with half a surrogate pair', { body: { code: 200, data: { taskId: 'a\ud800' } } }],
    ['a task id that is no whole number', { body: { code: 200, data: { taskId: 1.5 } } }],
    ['a task id in an unknown place', { body: { code: 455, data: { task: { task_id: 7 } } } }],
    ['code 200 without data', { body: { code: 200, msg: 'success', data: null } }],
    ['code 200 with an empty task id', created('')],
    ['an answer that is half JSON', { body: '{"code":200,"data":{"taskId":"kie-1"' }],
    ['JSON that is no envelope', { body: { taskId: 'kie-1' } }],
    ['JSON that is null', { body: 'null' }],
    ['an empty answer', {}],
    ['an answer larger than 1 MiB', { body: { ...ACCEPTED, more: 'x'.repeat(2 ** 20) } }],
    ['a connection closed without an answer', { cutAfterBytes: 0 }],
    ['a connection closed in the middle of the head', { ...created('kie-1'), cutAfterBytes: 12 }],
    ['a connection closed in the middle of the body', { ...created('kie-1'), cutBodyAfterBytes: 10 }],
    ['a connection that is reset', { reset: true }],
  ])('%s', async (_what, answer) => {
    expect(await outcomeOf(answer)).toMatchObject({ kind: 'unknown', reason: expect.any(String) as string });
  });

  test('no answer within the time-out, or half of one, and the connection is given up', async () => {
    const { kie, provider } = await startClient({ createTimeoutMs: 1000 });
    // More is announced than sent, and the connection stays open.
    const half = { headers: { 'content-length': '1000' }, body: '{"code":200,' };
    provider.answer('createTask', { hang: true }, half);
    const outcomes = await Promise.all([kie.createTask(INPUT, null), kie.createTask(INPUT, null)]);
    expect(outcomes).toMatchObject([{ kind: 'unknown' }, { kind: 'unknown' }]);
    for (const { closed } of provider.requests('createTask')) await closed;
    expect(provider.requests()).toHaveLength(2);
  });
});

describe('what only the operator can mend', () => {
  /** A client, and what it warned of and counted. */
  async function startHeard() {
    const warned: object[] = [];
    const counted: string[] = [];
    const silent = (): void => undefined;
    const log = { debug: silent, info: silent, error: silent, warn: (fields: object) => warned.push(fields) };
    const client = await startClient({ log, onAccountRefusal: (code) => counted.push(code) });
    return { ...client, warned, counted };
  }

  test.each([
    [401, 'UNAUTHORIZED'],
    [402, 'INSUFFICIENT_CREDITS'],
    [433, 'QUOTA_EXCEEDED'],
  ])('is counted each time, and warned of once in a while: %i', async (code, name) => {
    const { counted, kie, provider, warned } = await startHeard();
    for (const route of ['credit', 'createTask', 'recordInfo'] as const)
      provider.always(route, refused(code, 'no'));
    expect(await kie.credits()).toBe(null);
    for (let call = 0; call < 2; call += 1) await kie.createTask(INPUT, null);
    await kie.queryTask('kie-1');
    expect(counted).toEqual([name, name, name, name]);
    expect(warned).toMatchObject([{ code: name, providerCode: code }]);
  });

  test('is a balance that does not pay a video, which is no refusal, and nothing that is wrong with a task', async () => {
    const { counted, kie, provider, warned } = await startHeard();
    provider.answer('createTask', refused(422, 'too long'));
    await kie.createTask(INPUT, null);
    provider.answer('credit', credit(57), credit(56));
    await kie.credits();
    expect(warned).toEqual([]);
    await kie.credits();
    expect(warned).toMatchObject([{ code: 'INSUFFICIENT_CREDITS', credits: 56 }]);
    expect(counted).toEqual([]);
  });
});
