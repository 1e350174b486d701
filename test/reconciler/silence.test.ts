import { describe, expect, test } from 'vitest';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { notVisibleYet, record, refused, succeeded } from '../kit/kie.ts';
import { readTask, startWithTask, watchTask } from '../webhooks/called-back.ts';
import { NO_QUERY_LIMIT, POLLING, until } from './polled.ts';

const options = { env: NO_QUERY_LIMIT, overrides: { timings: POLLING } };

describe('a response without information causes another query:', () => {
  test.each<readonly [what: string, answer: Answer]>([
    ['422 "recordInfo is null"', notVisibleYet()],
    ['404', refused(404, 'Task not found')],
    ['404 under HTTP 404', refused(404, 'Task not found', { http: 404 })],
    ['429', refused(429, 'Rate limit exceeded', { http: 429 })],
    ['401', refused(401, 'You do not have access permissions')],
    ['402', refused(402, 'top up')],
    ['455', refused(455, 'maintenance')],
    ['500', refused(500, 'oops')],
    ['505', refused(505, 'disabled')],
    ['an HTML page', { status: 502, headers: { 'content-type': 'text/html' }, body: '<html></html>' }],
    ['a page of a proxy', { status: 403, body: 'error code: 1010' }],
    ['a reset', { reset: true }],
    ['half an answer', { ...succeeded('kie-1'), cutBodyAfterBytes: 100 }],
    ['an answer about another task', succeeded('kie-2')],
  ])('%s', async (_what, answer) => {
    const provider = await startFakeProvider();
    provider.always('recordInfo', record('kie-1'));
    // Fewer in a row than make the provider count as unreachable.
    provider.answer('recordInfo', answer, answer, answer);
    const { gateway, task } = await startWithTask({ ...options, provider });
    for (let query = 0; query < 4; query += 1) await provider.received('recordInfo');
    expect(await readTask(gateway, task.id)).toEqual(task);

    const watch = await watchTask(gateway, task.id);
    provider.always('recordInfo', succeeded('kie-1'));
    expect(await until(() => watch.next(), 'SUCCESS')).toMatchObject({ revision: task.revision + 1 });
  });
});

test('polling continues after an outage of the provider', async () => {
  const before = await startFakeProvider();
  before.always('recordInfo', record('kie-1'));
  const { gateway, task } = await startWithTask({ ...options, provider: before });
  const watch = await watchTask(gateway, task.id);
  await before.received('recordInfo');
  await before.close();

  const provider = await startFakeProvider({ port: before.port });
  provider.always('recordInfo', succeeded('kie-1'));
  expect(await until(() => watch.next(), 'SUCCESS')).toMatchObject({ failure: null });
  // Queries that meet no provider are held back for seconds once they are many.
});

describe('an envelope without data fails the task:', () => {
  test.each([
    [501, { code: 'GENERATION_FAILED', providerCode: '501', retryable: true }],
    [408, { code: 'PROVIDER_TIMEOUT', providerCode: '408', retryable: true }],
    [531, { code: 'GENERATION_FAILED', providerCode: '531', retryable: true }],
  ])('envelope code %i', async (code, failure) => {
    const provider = await startFakeProvider();
    provider.always('recordInfo', refused(code, 'it is over'));
    const { gateway, task } = await startWithTask({ ...options, provider });
    const watch = await watchTask(gateway, task.id);
    const ended = await until(() => watch.next(), 'FAIL');
    expect(ended).toMatchObject({ failure: { ...failure, message: 'it is over' }, videos: [] });
  });
});
