import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import type { SignedAddress } from '../../src/tasks/signed-address.ts';
import { CREATE, input } from '../kit/documents.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { refused, callbackSuccess, deliverCallback, sign, notVisibleYet } from '../kit/kie.ts';
import { stopTheClock } from '../kit/clock.ts';
import { named, onTestEnd, staysPending } from '../kit/waits.ts';
import { headOf } from '../attacks/raw-http.ts';
import { readTask, startWithProvider, startWithTask, takeTask } from './called-back.ts';

const KIB = 1024;
const LIMIT = 256 * KIB;
const BODY = JSON.stringify(callbackSuccess('kie-1'));
const SIGNED = sign(HMAC_KEY, 'kie-1');
const seconds = (): number => Math.floor(Date.now() / 1000);

/** A callback on its way. */
interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: BodyInit;
}

interface Check {
  readonly name: string;
  readonly status: number;
  readonly detail: string;
  /** Whether the provider is asked for the truth: the caller knew the address of the task. */
  readonly asks: boolean;
  /** What makes a callback fail. */
  readonly mistake: (request: Request, id: string) => Partial<Request>;
}

const encoded =
  (name: string, body?: BodyInit) =>
  ({ headers, ...one }: Request): Partial<Request> => ({
    headers: { ...headers, 'content-encoding': name },
    body: body ?? one.body,
  });
const unsigned = ({ headers }: Request): Partial<Request> => ({
  headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('X-Webhook'))),
});
const withBody = (body: BodyInit) => (): Partial<Request> => ({ body });
const withJson = (body: unknown) => withBody(JSON.stringify(body));

/** Every check, in order. */
const CHECKS: readonly Check[] = [
  { name: 'method', status: 405, detail: 'posted', asks: true, mistake: () => ({ method: 'PUT' }) },
  ...check('path', 404, 'no such callback address', ({ url }) => ({ url: `${url}/more` }), false),
  ...check('token', 401, 'not the callback address', ({ url }) => ({ url: withOtherToken(url) }), false),
  ...check('size', 413, '256 KiB', withBody('x'.repeat(300 * KIB))),
  ...check('an unknown encoding', 415, 'declared as "zstd"', encoded('zstd')),
  ...check('a broken encoding', 400, 'cannot be decoded. It is declared as "gzip"', encoded('gzip', BODY)),
  ...check('decoded size', 413, '256 KiB', encoded('gzip', gzipSync('x'.repeat(10_000_000)))),
  ...check('media type', 415, 'declared as "text/plain"', ({ headers }) => ({
    headers: { ...headers, 'content-type': 'text/plain' },
    body: 'done',
  })),
  ...check('an empty body', 400, 'empty', withBody('')),
  ...check('JSON', 400, 'not valid JSON', withBody('{"code":200')),
  ...check('the envelope', 400, 'not a callback', withJson({ a: 1 })),
  ...check(
    'a deep envelope',
    400,
    'names no task',
    withBody(`{"code":200,"data":${'['.repeat(9e4)}${']'.repeat(9e4)}}`),
  ),
  ...check(
    'names of prototypes',
    400,
    'names no task',
    withBody('{"code":200,"data":{"__proto__":{"taskId":"kie-1"}}}'),
  ),
  ...check('no id', 400, 'names no task', withJson({ code: 200, msg: '', data: {} })),
  ...check('two ids', 409, 'more than one', (_, id) => withJson(callbackSuccess(id, { task_id: 'kie-x' }))()),
  ...check(
    'the id of no task',
    409,
    'another provider id',
    ({ headers }) => ({
      headers: { ...headers, ...sign(HMAC_KEY, 'kie-x') },
      body: JSON.stringify(callbackSuccess('kie-x')),
    }),
    false,
  ),
  ...check('no signature', 401, 'signature', unsigned),
  ...signatures({
    'without its time': (id) => ({ 'X-Webhook-Signature': sign(HMAC_KEY, id)['X-Webhook-Signature'] }),
    empty: (id) => ({ ...sign(HMAC_KEY, id), 'X-Webhook-Signature': '' }),
    'of another key': (id) => sign('another-key', id),
    'of another task': () => sign(HMAC_KEY, 'kie-x'),
    'that is too old': (id) => sign(HMAC_KEY, id, seconds() - 330),
    'from the future': (id) => sign(HMAC_KEY, id, seconds() + 330),
    'that is old, under a new time': (id) => ({
      ...sign(HMAC_KEY, id, seconds() - 400),
      'X-Webhook-Timestamp': String(seconds()),
    }),
  }),
];

function check(
  name: string,
  status: number,
  detail: string,
  mistake: Check['mistake'],
  asks = true,
): Check[] {
  return [{ name, status, detail, asks, mistake }];
}

function signatures(makes: Readonly<Record<string, (id: string) => Record<string, string>>>): Check[] {
  return Object.entries(makes).flatMap(([name, make]) =>
    check(`a signature ${name}`, 401, 'signature', (right, id) => ({
      headers: { ...unsigned(right).headers, ...make(id) },
    })),
  );
}

function withOtherToken(url: string): string {
  return url.replace(/\/(.)([^/]*)$/, (_, first, rest) => `/${first === 'A' ? 'B' : 'A'}${String(rest)}`);
}

function rightRequest(url: string, id: string): Request {
  const headers = { ...sign(HMAC_KEY, id), 'content-type': 'application/json' };
  return { method: 'POST', url, headers, body: JSON.stringify(callbackSuccess(id)) };
}

const send = ({ url, ...init }: Request): Promise<Response> => fetch(url, init);

/** The answer must be problem details with a hint, and tell none of the secrets of the task and its callbacks. */
async function expectProblem(
  answer: Response,
  { detail, name, status }: Check,
  callback: string,
): Promise<void> {
  const text = await answer.text();
  expect([name, answer.status, answer.headers.get('content-type')]).toEqual([
    name,
    status,
    expect.stringContaining('application/problem+json'),
  ]);
  expect(JSON.parse(text)).toEqual({
    type: 'about:blank',
    title: expect.any(String) as string,
    status,
    detail: expect.stringContaining(detail) as string,
    code: expect.stringMatching(/^CALLBACK_[A-Z_]+$/) as string,
    hint: expect.stringMatching(/\w.*\.$/) as string,
  });
  for (const secret of [...callback.split('/').slice(-2), HMAC_KEY]) expect(text).not.toContain(secret);
}

test('a callback that fails a check is refused for the first one, changes nothing, and only a known address has the provider asked', async () => {
  // Nothing is to wait for its turn: neither a task to be sent nor a query.
  const timings = { createsPerWindow: 1000, queriesPerSecond: 1000 };
  const scene = await startWithProvider({ overrides: { timings } });
  scene.provider.always('recordInfo', notVisibleYet());
  for (const [index, one] of CHECKS.entries()) {
    const id = `kie-${index}`;
    const { callback, task } = await takeTask(scene, id);
    const right = rightRequest(callback, id);
    await expectProblem(await send({ ...right, ...one.mistake(right, id) }), one, callback);
    const wrong = CHECKS.slice(index).reduceRight(
      (made, { mistake }) => ({ ...made, ...mistake(made, id) }),
      right,
    );
    await expectProblem(await send(wrong), one, callback);
    const asked = scene.provider.received('recordInfo', ({ query }) => query['taskId'] === id);
    await (one.asks ? asked : staysPending(asked));
    expect([one.name, await readTask(scene.gateway, task.id)]).toEqual([one.name, task]);
    expect([one.name, (await send(right)).status]).toEqual([one.name, 200]);
    expect(await readTask(scene.gateway, task.id)).toMatchObject({ state: 'SUCCESS' });
  }
});

test('a right callback is taken, however it is declared, compressed or addressed', async () => {
  const scene = await startWithProvider();
  const types = [
    'application/json; charset=utf-8',
    'application/vnd.kie+json',
    'text/plain',
    'application/x-www-form-urlencoded',
    ';',
  ];
  const changes: ((right: Request, json: string, id: string) => Partial<Request>)[] = [
    () => ({}),
    ...types.map((type) => ({ headers }: Request) => ({ headers: { ...headers, 'content-type': type } })),
    ({ headers }, json) => ({ headers: { ...headers, 'content-type': '' }, body: Buffer.from(json) }),
    (right, json) => encoded('gzip', gzipSync(json))(right),
    (right, json) => encoded('Deflate', deflateSync(json))(right),
    (right, json) => encoded('br', brotliCompressSync(json))(right),
    (_, json) => ({ body: Buffer.from(`\uFEFF${json}`) }),
    ({ url }) => ({ url: `${url}/` }),
    ...[-290, 290].map((offset) => (right: Request, _: string, id: string) => ({
      headers: { ...right.headers, ...sign(HMAC_KEY, id, seconds() + offset) },
    })),
  ];
  for (const [index, change] of changes.entries()) {
    const id = `kie-${index}`;
    const { callback, task } = await takeTask(scene, id);
    const right = rightRequest(callback, id);
    const answer = await send({ ...right, ...change(right, JSON.stringify(callbackSuccess(id)), id) });
    expect([index, answer.status, await answer.json()]).toEqual([index, 200, { code: 200, msg: 'success' }]);
    expect(await readTask(scene.gateway, task.id)).toMatchObject({ state: 'SUCCESS' });
  }
});

test('other methods, addresses and tasks than those of a callback are refused', async () => {
  const scene = await startWithTask();
  scene.provider.always('recordInfo', notVisibleYet());
  const { callback, gateway } = scene;
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const { headers, status } = await fetch(callback, { method });
    expect([method, status, headers.get('allow')]).toEqual([method, 405, 'POST']);
  }
  const base = `${gateway.url}/webhooks`;
  const statusOf = async (url: string, id = 'kie-1') => {
    const { body, headers, status } = await deliverCallback(url, callbackSuccess(id), sign(HMAC_KEY, id));
    expect([url, headers.get('content-type')]).toEqual([
      url,
      expect.stringContaining('application/problem+json'),
    ]);
    expect(body).toHaveProperty('hint');
    return status;
  };
  for (const path of ['', '/', '/kie', '/kie/', '/kie/1', '/kie/1/'])
    expect(await statusOf(base + path)).toBe(404);
  expect(await statusOf(`${base}/kie/%zz/token`)).toBe(400);

  const other = await takeTask(scene, 'kie-2');
  const token = callback.split('/').at(-1) ?? '';
  const strangers = [
    other.task.id,
    '00000000-0000-4000-8000-000000000000',
    'kie-1',
    '__proto__',
    'x',
    '%00',
    '..%2f',
  ];
  for (const id of strangers)
    expect([id, await statusOf(`${base}/kie/${id}/${token}`, 'kie-2')]).toEqual([id, 401]);
  for (const url of [callback.slice(0, -1), `${callback}A`]) expect(await statusOf(url)).toBe(401);
});

test('a task that we do not have, or that the provider refused, is told as unknown', async () => {
  let address: SignedAddress | undefined;
  const { gateway, provider } = await startWithProvider({
    overrides: { wrap: (ports) => ((address = ports.callbackAddress), ports) },
  });
  provider.answer('createTask', refused(402, 'top up'));
  const { body } = await graphql(gateway.graphqlUrl, CREATE, { input: input() });
  expect(dataOf(body).createImageToVideo.__typename).toBe('ProviderError');
  const urls = [
    gateway.url + new URL(address?.urlFor('no-such-task') ?? '').pathname,
    gateway.callbackUrl(await provider.received('createTask')),
  ];
  for (const url of urls)
    expect(await deliverCallback(url, BODY, SIGNED)).toMatchObject({
      status: 404,
      body: { detail: 'There is no such task.' },
    });
});

/** A success callback that has exactly so many bytes. */
function callbackOf(bytes: number): string {
  const { length } = JSON.stringify(callbackSuccess('kie-1', { padding: '' }));
  return JSON.stringify(callbackSuccess('kie-1', { padding: 'x'.repeat(bytes - length) }));
}

/** Posts as a simple sender does: it sends everything, whatever has been answered by then. Rejects when it is cut off. */
async function sendAll(url: string, bytes: number, headers: Record<string, string>): Promise<number> {
  const chunk = Buffer.alloc(64 * KIB, 'x');
  const message = request(url, { method: 'POST', headers: { ...headers, ...SIGNED } });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    message.once('response', resolve).once('error', reject);
  });
  for (let sent = 0; sent < bytes; sent += chunk.length)
    await new Promise<void>((resolve, reject) => {
      message.write(chunk.subarray(0, Math.min(chunk.length, bytes - sent)), (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  message.end();
  return (await answered).resume().statusCode ?? 0;
}

test('a body of 256 KiB is read, and the sender of more gets to the end of it and sees the answer, not a reset', async () => {
  const { callback, provider } = await startWithTask();
  provider.always('recordInfo', notVisibleYet());
  for (const bytes of [300 * KIB, 5 * 1024 * KIB]) {
    expect(await sendAll(callback, bytes, { 'content-length': String(bytes) })).toBe(413);
    expect(await sendAll(callback, bytes, { 'transfer-encoding': 'chunked' })).toBe(413);
    expect(await sendAll(`${callback}x`, bytes, { 'transfer-encoding': 'chunked' })).toBe(401);
  }
  expect((await deliverCallback(callback, callbackOf(LIMIT + 1), SIGNED)).status).toBe(413);
  expect((await deliverCallback(callback, callbackOf(LIMIT), SIGNED)).status).toBe(200);
});

/** A connection to the address of a callback; `until` waits for a part of what comes over it. */
function open(callback: string) {
  const { pathname, port } = new URL(callback);
  const socket = connect(Number(port), '127.0.0.1');
  // A cut connection may end with a reset.
  socket.on('error', () => undefined);
  onTestEnd(() => void socket.destroy());
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString();
    socket.emit('received');
  });
  const until = (part: string): Promise<void> =>
    named(
      `"${part}" to be received`,
      new Promise((resolve) => {
        const look = (): void => {
          if (received.includes(part)) resolve();
        };
        socket.on('received', look);
        look();
      }),
    );
  const begin = (length: number, more = ''): void => {
    const type = 'Content-Type: application/json';
    socket.write(headOf(`POST ${pathname}${more}`, 'Host: 127.0.0.1', type, `Content-Length: ${length}`));
  };
  return { begin, pathname, socket, until };
}

test('path, token and declared size are checked before a byte of the body is there', async () => {
  const { callback, provider } = await startWithTask();
  provider.always('recordInfo', notVisibleYet());
  for (const [more, length, status] of [
    ['x', 1000, 401],
    ['/more', 1000, 404],
    ['', LIMIT + 1, 413],
  ] as const) {
    const { begin, until } = open(callback);
    begin(length, more);
    await until(`HTTP/1.1 ${status}`);
  }
});

test('a connection over which too much came can be used again, and who sends without end is cut off', async () => {
  const { callback, gateway, provider } = await startWithTask();
  provider.always('recordInfo', notVisibleYet());
  const { begin, socket, until } = open(callback);
  begin(LIMIT + 1);
  socket.write('x'.repeat(LIMIT + 1));
  await until('HTTP/1.1 413');
  begin(2);
  socket.write('{}');
  await until('HTTP/1.1 400');

  const { pathname, socket: endless } = open(callback);
  const cut = new Promise((resolve) => endless.once('close', resolve));
  endless.write(headOf(`POST ${pathname}`, 'Host: 127.0.0.1', 'Transfer-Encoding: chunked'));
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const sendMore = (): void => {
    while (!endless.destroyed && endless.write(chunk));
  };
  endless.on('drain', sendMore);
  sendMore();
  await named('the connection to be cut', cut);
  await gateway.close();
});

test('wrong tokens and signatures of one address get 429 after some hundred, and a right callback is taken all the same', async () => {
  stopTheClock();
  const lines: string[] = [];
  const log = createLog({ level: 'warn', pretty: false }, { write: (line) => void lines.push(line) });
  const { callback, gateway, provider, task } = await startWithTask({ log });
  provider.always('recordInfo', notVisibleYet());
  const guess = callback.replace(/[^/]+$/, 'guess');
  const answers = new Set<string>();
  const told = ({ headers, status }: { status: number; headers: Headers }) =>
    `${status} ${headers.get('retry-after')}`;
  for (let sent = 0; sent < 300; sent += 1) answers.add(told(await deliverCallback(guess, BODY)));
  expect([...answers]).toEqual(['401 null']);
  for (const answer of [
    await deliverCallback(guess, BODY),
    await deliverCallback(callback, BODY, sign('another key', 'kie-1')),
  ]) {
    expect(told(answer)).toBe('429 60');
    const hint = expect.stringContaining('a right callback is taken at once') as string;
    expect(answer.body).toMatchObject({ status: 429, hint });
  }
  expect((await deliverCallback(callback, BODY, SIGNED)).status).toBe(200);
  expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS' });
  // Once at first, the others counted later.
  const warnings = lines.filter((line) => line.includes('too many wrong keys, tokens or callbacks'));
  expect(warnings.map((line) => JSON.parse(line) as object)).toMatchObject([{ address: '127.0.0.1' }]);
});
