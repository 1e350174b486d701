import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { openS3Storage, type S3Options } from '../../src/archive/s3.ts';
import { StorageError } from '../../src/archive/storage.ts';
import { startProxy } from '../kit/http-proxy.ts';
import { S3_SECRET } from '../kit/s3-server.ts';
import { onTestEnd } from '../kit/waits.ts';
import { hashOf, inS3, keep, optionsFor, S3_TIMINGS, VIDEO } from './storages.ts';

/** What it rejects with. */
function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

/** A server of raw connections. */
async function listen(onData: (write: (text: string) => void) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      onData((text) => {
        socket.write(text);
      });
      socket.resume();
    });
    onTestEnd(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestEnd(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/bucket`;
}

it.each<[string, Partial<S3Options>, RegExp]>([
  ['a wrong secret', { secretAccessKey: 'wrong' }, /SignatureDoesNotMatch.*AWS_SECRET_ACCESS_KEY/],
  ['a wrong region', { region: 'us-east-1' }, /AuthorizationHeaderMalformed.*AWS_REGION/],
  ['an unknown key', { accessKeyId: 'AKIAWRONG' }, /InvalidAccessKeyId.*AWS_ACCESS_KEY_ID/],
  ['a session token for lasting keys', { sessionToken: 'token' }, /InvalidToken.*AWS_SESSION_TOKEN/],
])(
  'every call with %s is refused, and the error says what to correct and no secret',
  async (_, over, message) => {
    const { objects, s3, storage } = await inS3(over);
    s3.objects.set('task-1.mp4', VIDEO);
    for (const call of [
      () => keep({ storage }, 'task-0', VIDEO),
      // The refusal comes while a large body is being sent.
      () => keep({ storage }, 'task-0', randomBytes(5_000_000)),
      () => storage.read('task-1', { start: 0, end: 1 }),
      () => storage.delete('task-1'),
      () => storage.probe(),
    ]) {
      const error = await failureOf(call());
      expect(error).toBeInstanceOf(StorageError);
      expect(String(error)).toMatch(message);
      for (const secret of [over.secretAccessKey ?? S3_SECRET, over.sessionToken ?? S3_SECRET])
        expect(String(error)).not.toContain(secret.length > 5 ? secret : ` ${secret} `);
    }
    expect(await objects()).toEqual({ 'task-1.mp4': hashOf(VIDEO) });
  },
);

it.each([3_600_000, -3_600_000])('with clocks that differ by %i ms, the error says so', async (ms) => {
  const { s3, storage } = await inS3();
  s3.now = () => Date.now() + ms;
  await expect(storage.probe()).rejects.toThrow(/RequestTimeTooSkewed.*clock/);
});

it('a missing bucket is reported, and not taken for a missing object', async () => {
  const { s3 } = await inS3();
  const storage = openS3Storage(optionsFor({ url: `${new URL(s3.url).origin}/other` }));
  onTestEnd(() => storage.close());
  for (const call of [
    () => storage.probe(),
    () => storage.read('task-0', { start: 0, end: 0 }),
    () => storage.delete('task-0'),
  ])
    await expect(call()).rejects.toThrow(/NoSuchBucket.*ARCHIVE_S3_URL/);
});

it.each(['127.0.0.1', 'localhost'])(
  'a store that is not there at %s is reported with the reason',
  async (host) => {
    const storage = openS3Storage(optionsFor({ url: `http://${host}:1/bucket` }));
    onTestEnd(() => storage.close());
    await expect(storage.probe()).rejects.toThrow(/cannot be reached: .*ECONNREFUSED.*ARCHIVE_S3_URL/);
  },
);

it.each(['unavailable', 'cut', 'broken'] as const)(
  'an object is stored despite two requests that are %s, and complete or absent after more of them',
  async (mishap) => {
    const { objects, s3, storage } = await inS3();
    s3.mishaps.push(mishap, mishap);
    await keep({ storage }, 'task-0', VIDEO);
    expect(await objects()).toEqual({ 'task-0.mp4': hashOf(VIDEO) });
    s3.objects.clear();
    s3.mishaps.push(mishap, mishap, mishap);
    await expect(keep({ storage }, 'task-0', VIDEO)).rejects.toThrow(StorageError);
    // Nobody hears of an object whose response breaks, and a retry replaces it.
    expect(await objects()).toEqual(mishap === 'broken' ? { 'task-0.mp4': hashOf(VIDEO) } : {});
  },
);

it.each([
  ['another hash', { sha256: '00'.repeat(32) }],
  ['fewer bytes', { bytes: VIDEO.length - 1 }],
  ['more bytes', { bytes: VIDEO.length + 1 }],
])('nothing is stored of a file with %s than announced', async (_, facts) => {
  const { objects, storage } = await inS3();
  await expect(keep({ storage }, 'task-0', VIDEO, facts)).rejects.toThrow(StorageError);
  expect(await objects()).toEqual({});
});

it('a response that breaks while it is read fails its reader', async () => {
  const { s3, storage } = await inS3();
  await keep({ storage }, 'task-0', VIDEO);
  s3.mishaps.push('broken');
  const stream = await storage.read('task-0', { start: 0, end: VIDEO.length - 1 });
  await expect(stream && buffer(stream)).rejects.toThrow();
});

it.each<[string, Partial<typeof S3_TIMINGS>, (write: (text: string) => void) => void]>([
  ['never comes', { idle: 50 }, () => undefined],
  [
    'never ends',
    { idle: 50 },
    (write) => {
      write('HTTP/1.1 403 No\r\ncontent-length: 100\r\n\r\n<Error>');
    },
  ],
  [
    'drips',
    { upload: 200, answer: 200 },
    (write) => {
      write('HTTP/1.1 403 No\r\ncontent-length: 1000000\r\n\r\n');
      const timer = setInterval(write, 5, 'x');
      onTestEnd(() => {
        clearInterval(timer);
      });
    },
  ],
])('a response that %s is given up', async (_, timings, onData) => {
  const url = await listen(onData);
  const storage = openS3Storage({ ...optionsFor({ url }), timings: { ...S3_TIMINGS, ...timings } });
  onTestEnd(() => storage.close());
  for (const call of [() => keep({ storage }, 'task-0', VIDEO), () => storage.delete('task-0')])
    await expect(call()).rejects.toThrow(/cannot be reached/);
});

it('nothing is tried again once the storage is closed', async () => {
  const { s3, storage } = await inS3({ timings: { ...S3_TIMINGS, pause: 1_000_000 } });
  s3.mishaps.push('unavailable', 'silent');
  const waiting = failureOf(storage.probe());
  const sending = failureOf(storage.probe());
  await expect.poll(() => s3.requests.length).toBe(2);
  await storage.close();
  expect(await waiting).toBeInstanceOf(StorageError);
  expect(await sending).toBeInstanceOf(StorageError);
  expect(s3.requests).toHaveLength(2);
});

it.each([
  'attachment; filename="a (1)*.mp4"',
  `attachment; filename="_.mp4"; filename*=UTF-8''%C3%A9+a%20b.mp4`,
])('a link is valid for an hour and for one object, with its type and %s', async (disposition) => {
  const { s3, storage } = await inS3();
  await keep({ storage }, 'task-0', VIDEO);
  const link = (await storage.link('task-0', disposition)) ?? '';
  expect(link).not.toContain('+');
  const response = await fetch(link, { headers: { range: 'bytes=5-9' } });
  expect(Buffer.from(await response.arrayBuffer()).equals(VIDEO.subarray(5, 10))).toBe(true);
  const { headers, status } = response;
  expect([status, headers.get('content-type'), headers.get('content-disposition')]).toEqual([
    206,
    'video/mp4',
    disposition,
  ]);
  for (const other of [link.replace('task-0', 'task-1'), link.replace('3600', '7200'), `${link}&a=b`])
    expect((await fetch(other)).status).toBe(403);
  expect((await fetch(link, { method: 'DELETE' })).status).toBe(403);
  s3.now = () => Date.now() + 3_590_000;
  expect((await fetch(link)).status).toBe(200);
  s3.now = () => Date.now() + 3_601_000;
  expect((await fetch(link)).status).toBe(403);
});

it('there is no link when the gateway serves the videos', async () => {
  const { storage } = await inS3({ serve: 'proxy' });
  expect(await storage.link('task-0', null)).toBeNull();
});

it.each([
  ['a bucket alone', '/bucket', '/bucket'],
  ['slashes at the end', '/bucket/prefix', '/bucket/prefix//'],
  ['unusual letters', "/bucket/a%2Bb%20c/d'e(f)*$%C3%BC", "/bucket/a+b c/d'e(f)*$ü"],
])('an endpoint may have %s', async (_, path, given) => {
  const { s3, storage } = await inS3({}, { path });
  const other = openS3Storage(optionsFor({ url: `${new URL(s3.url).origin}${given}` }));
  onTestEnd(() => other.close());
  for (const used of [storage, other]) {
    await keep({ storage: used }, 'task-0', VIDEO);
    expect((await fetch((await used.link('task-0', null)) ?? '')).status).toBe(200);
    await used.delete('task-0');
  }
  expect(s3.objects.size).toBe(0);
});

it('temporary credentials sign with their token', async () => {
  const { objects, storage } = await inS3({ sessionToken: 'to+ken/=' }, { sessionToken: 'to+ken/=' });
  await storage.probe();
  await keep({ storage }, 'task-0', VIDEO);
  expect((await fetch((await storage.link('task-0', null)) ?? '')).status).toBe(200);
  expect(await objects()).toEqual({ 'task-0.mp4': hashOf(VIDEO) });
});

it('a proxy is used', async () => {
  const proxy = await startProxy();
  const { objects, s3, storage } = await inS3({ proxy: proxy.url });
  await keep({ storage }, 'task-0', VIDEO);
  expect(await objects()).toEqual({ 'task-0.mp4': hashOf(VIDEO) });
  expect(proxy.asked.map(({ target }) => target)).toEqual([new URL(s3.url).host]);
});
