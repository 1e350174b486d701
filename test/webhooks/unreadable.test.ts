import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { staysPending, onTestEnd } from '../kit/waits.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { record, succeeded, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { readTask, startWithTask, watchTask, type CalledBack } from './called-back.ts';
import { createStandingClock } from './standing-clock.ts';

const BODY = JSON.stringify(callbackSuccess('kie-1'));
const SIGNED = { ...sign(HMAC_KEY, 'kie-1'), 'content-type': 'application/json' };

describe('a callback is read although its sender', () => {
  test.each([
    ['compresses it with gzip', gzipSync(BODY), { 'content-encoding': 'gzip' }],
    ['compresses it with deflate', deflateSync(BODY), { 'content-encoding': 'Deflate' }],
    ['compresses it with br', brotliCompressSync(BODY), { 'content-encoding': 'br' }],
    ['puts a byte order mark before it', Buffer.from(`\uFEFF${BODY}`), {}],
    ['calls it plain text', Buffer.from(BODY), { 'content-type': 'text/plain; charset=utf-8' }],
  ])('%s', async (_what, body, headers) => {
    const { callback, gateway, task } = await startWithTask();
    const answer = await fetch(callback, { method: 'POST', headers: { ...SIGNED, ...headers }, body });
    expect(answer.status).toBe(200);
    expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS' });
  });

  test('ends its address with a slash', async () => {
    const { callback } = await startWithTask();
    const answer = await deliverCallback(`${callback}/`, BODY, SIGNED);
    expect(answer.status).toBe(200);
  });
});

interface Unreadable {
  readonly what: string;
  readonly status: number;
  readonly detail: string;
  readonly init: {
    readonly method?: string;
    readonly body?: BodyInit;
    readonly headers?: Record<string, string>;
  };
}

const UNREADABLE: readonly Unreadable[] = [
  { what: 'is a GET', status: 405, detail: 'posted', init: { method: 'GET' } },
  { what: 'is empty', status: 400, detail: 'empty', init: {} },
  { what: 'is broken JSON', status: 400, detail: 'not valid JSON', init: { body: '{"code":200' } },
  {
    what: 'is text',
    status: 415,
    detail: 'declared as "text/plain"',
    init: { body: 'done', headers: { 'content-type': 'text/plain' } },
  },
  {
    what: 'has an unknown encoding',
    status: 415,
    detail: 'declared as "zstd"',
    init: { body: BODY, headers: { 'content-encoding': 'zstd' } },
  },
  {
    what: 'is no gzip',
    status: 400,
    detail: 'cannot be decoded. It is declared as "gzip"',
    init: { body: BODY, headers: { 'content-encoding': 'gzip' } },
  },
  {
    what: 'grows too large when it is decoded',
    status: 413,
    detail: '256 KiB',
    init: { body: gzipSync('x'.repeat(10_000_000)), headers: { 'content-encoding': 'gzip' } },
  },
  { what: 'is too large', status: 413, detail: '256 KiB', init: { body: 'x'.repeat(300 * 1024) } },
  { what: 'is no callback', status: 400, detail: 'not a callback', init: { body: '{}' } },
  { what: 'names no task', status: 400, detail: 'names no task', init: { body: '{"code":200}' } },
];

describe('a callback with a right token says what cannot be read, and has the provider asked, when it', () => {
  test.each(UNREADABLE)('$what', async ({ detail, init, status }) => {
    const { callback, gateway, provider, task } = await startWithTask();
    const watch = await watchTask(gateway, task.id);
    await watch.next();
    provider.answer('recordInfo', succeeded('kie-1'));
    const answer = await fetch(callback, {
      method: 'POST',
      ...init,
      headers: { ...SIGNED, ...init.headers },
    });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ detail: expect.stringContaining(detail) as string });
    expect(await watch.next()).toMatchObject({ state: 'SUCCESS' });
  });
});

test('a callback with a wrong token has nobody asked, however it is sent', async () => {
  const { callback, provider } = await startWithTask();
  for (const { init } of UNREADABLE)
    await fetch(`${callback}x`, { method: 'POST', ...init, headers: { ...SIGNED, ...init.headers } });
  await staysPending(provider.received('recordInfo'));
});

test.each(['0', '20'])(
  'of hundreds of callbacks in %s s only one has the provider asked',
  async (seconds) => {
    const clock = createStandingClock();
    const { callback, provider } = await startWithTask({
      env: { KIE_WEBHOOK_HMAC_KEYS: '' },
      overrides: { clock },
    });
    provider.always('recordInfo', record('kie-1'));
    for (let call = 0; call < 200; call += 1)
      expect((await deliverCallback(callback, BODY)).status).toBe(200);
    await provider.received('recordInfo');
    const second = provider.received('recordInfo');
    await staysPending(second);
    clock.advance(Number(seconds) * 1000);
    if (seconds === '0') await staysPending(second);
    else await second;
  },
);

/** The head of a request and none of its body; the status of the answer. */
async function sendHead(
  { callback }: CalledBack,
  path: (path: string) => string,
  length: number,
): Promise<string> {
  const { hostname, pathname, port } = new URL(callback);
  const socket = connect(Number(port), hostname);
  onTestEnd(() => {
    socket.destroy();
  });
  socket.write(
    `POST ${path(pathname)} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`,
  );
  const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
  return answer.toString().slice(9, 12);
}

test('path, token and declared size are checked before a byte of the body is there', async () => {
  const scene = await startWithTask();
  scene.provider.always('recordInfo', record('kie-1'));
  expect(await sendHead(scene, (path) => `${path}x`, 1000)).toBe('401');
  expect(await sendHead(scene, (path) => `${path}/more`, 1000)).toBe('404');
  expect(await sendHead(scene, (path) => path, 256 * 1024 + 1)).toBe('413');
});
