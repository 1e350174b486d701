import { request } from 'node:http';
import { readlink, readdir } from 'node:fs/promises';
import { afterEach, describe, expect, it, test, vi } from 'vitest';
import { TooSlowError, atLeastPace } from '../../src/http/slow-clients.ts';
import { openToOthers } from '../../src/store/sqlite/data-dir.ts';
import { createTask, watchToTheEnd } from '../system/client.ts';
import { startGateway } from '../kit/gateway.ts';
import { createMovableClock } from '../auth/passing-time.ts';
import { ADA, API_KEYS, BEN } from '../auth/owners.ts';
import { deferred, named } from '../kit/waits.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { uploaded } from '../kit/kie.ts';
import { flat, heic, imageBytes, pngOf } from '../kit/images.ts';
import { formOf, startUploading, type Uploading } from './uploading.ts';

const HOUR = 3_600_000;
const MOST_BYTES = 30 * 1024 * 1024;

const STORES = [
  ['SQLite', () => Promise.resolve({})],
  ['PostgreSQL', async () => ({ DATABASE_URL: await temporaryDatabase() })],
] as const;

describe.each(STORES)('an uploaded image, with %s', (_, environment) => {
  it('is sent again by another owner, or when it soon expires, and otherwise not', async () => {
    const clock = createMovableClock();
    const env = { API_KEYS, ...(await environment()) };
    const { provider, upload } = await startUploading({ env, overrides: { clock } });
    const [one, other] = await Promise.all([imageBytes(), imageBytes()]);

    const first = await upload(one, ADA);
    clock.forward(22 * HOUR);
    const again = await upload(one, ADA);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toEqual(first.body);
    expect(provider.requests('upload')).toHaveLength(1);

    expect((await upload(one, BEN)).status).toBe(201);
    expect((await upload(other, ADA)).status).toBe(201);
    clock.forward(1.5 * HOUR);
    const anew = await upload(one, ADA);
    expect(anew.status).toBe(201);
    expect(anew.body['url']).not.toBe(first.body['url']);
    expect(provider.requests('upload')).toHaveLength(4);
  });

  it('is sent once when it arrives several times at once', async () => {
    const { provider, upload } = await startUploading({ env: await environment() });
    const gate = deferred();
    provider.answer('upload', { ...uploaded('https://files.example/one.png'), gate: gate.promise });
    const bytes = await imageBytes();
    const told = Promise.all(Array.from({ length: 5 }, () => upload(bytes)));
    await provider.received('upload');
    gate.resolve();
    const answers = await told;
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 201]);
    expect(new Set(answers.map(({ body }) => body['url']))).toEqual(
      new Set(['https://files.example/one.png']),
    );
    expect(provider.requests('upload')).toHaveLength(1);
  });
});

test.each(['jpeg', 'png', 'webp', 'heic'] as const)(
  'an image is passed on unchanged under a new name, and its URL, type and size are returned: %s',
  async (format) => {
    const { provider, upload } = await startUploading();
    const bytes = format === 'heic' ? heic() : await imageBytes(format);
    const before = Date.now();
    const { body, headers, status } = await upload(bytes, { 'content-type': 'application/octet-stream' });
    const { image, ...sent } = await formOf(await provider.received('upload'));
    // Vitest compares buffers byte by byte, which takes a second.
    expect(image.equals(bytes)).toBe(true);
    expect(sent).toEqual({
      uploadPath: 'kineograph',
      fileName: expect.stringMatching(/^[\da-f-]{36}\.(?:jpg|png|webp|heic)$/) as string,
      fileType: `image/${format}`,
    });
    expect(status).toBe(201);
    expect(headers.get('location')).toBe(`https://files.example/kineograph/${sent.fileName}`);
    expect(body).toEqual({
      url: `https://files.example/kineograph/${sent.fileName}`,
      expiresAt: expect.any(String) as string,
      contentType: `image/${format}`,
      width: 400,
      height: 320,
      bytes: bytes.length,
    });
    const expiresAt = Date.parse(String(body['expiresAt']));
    expect(expiresAt).toBeGreaterThanOrEqual(before + 24 * HOUR);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 24 * HOUR);
  },
);

test('an image of 30 MB is accepted and passed on unchanged', async () => {
  const { provider, upload } = await startUploading();
  const bytes = await pngOf(MOST_BYTES);
  expect((await upload(bytes)).body).toMatchObject({ bytes: MOST_BYTES });
  const sent = await formOf(await provider.received('upload'));
  expect(sent.image.equals(bytes)).toBe(true);
});

test.each<readonly [string, () => Buffer | Promise<Buffer>]>([
  ['an image of one pixel', () => flat('png', { width: 1, height: 1 })],
  ['an image that is much longer than wide', () => flat('webp', { width: 1000, height: 10 })],
])('%s is accepted: some model may take it', async (_, make) => {
  const { upload } = await startUploading();
  expect((await upload(await make())).status).toBe(201);
});

describe('a connection that is dropped', () => {
  /** Sends most of an image and stops. */
  async function begin({ gateway }: Uploading, bytes: Buffer): Promise<() => void> {
    const headers = { 'content-type': 'image/png', 'content-length': bytes.length };
    const outgoing = request(`${gateway.url}/uploads`, { method: 'POST', headers });
    outgoing.on('error', () => undefined);
    await new Promise<void>((resolve) => {
      outgoing.write(bytes.subarray(0, -1000), () => {
        resolve();
      });
    });
    return () => outgoing.destroy();
  }

  it('leaves no upload at the provider, no file and no used place', async () => {
    const kit = await startUploading({ env: { MAX_UPLOADS: '1' } });
    const bytes = await pngOf(500_000);
    const drop = await begin(kit, bytes);
    await named('the file of an upload', untilTempFiles(1));
    expect((await kit.upload(bytes)).status).toBe(503);
    drop();
    await named('the end of that file', untilTempFiles(0));
    expect((await kit.upload(bytes)).status).toBe(201);
    expect(kit.provider.requests('upload')).toHaveLength(1);
    expect(await tempFiles()).toEqual([]);
  });

  /** The open files of this process that have no name any more. */
  async function tempFiles(): Promise<string[]> {
    const open = await readdir('/proc/self/fd');
    const targets = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    return targets.filter((target) => /\/kineograph-[\da-f-]{36} \(deleted\)$/.test(target));
  }

  async function untilTempFiles(count: number): Promise<void> {
    while ((await tempFiles()).length !== count) await new Promise(setImmediate);
  }
});

test('with the sandbox an uploaded image is served, also after a restart, is closed to other users, and becomes a video', async () => {
  const gateway = await startGateway({ sandbox: { durationMs: 10 } });
  const bytes = await imageBytes('webp');
  const headers = { 'content-type': 'image/webp' };
  const answer = await fetch(`${gateway.url}/uploads`, {
    method: 'POST',
    headers,
    body: new Uint8Array(bytes),
  });
  const { url } = (await answer.json()) as { readonly url: string };
  expect(url).toMatch(new RegExp(`^${gateway.url}/sandbox/files/uploads/kineograph/[\\da-f-]+\\.webp$`));

  expect(openToOthers(gateway.dataDir)).toEqual([]);

  const { id } = await createTask(gateway.graphqlUrl, { imageUrl: url });
  const seen = await watchToTheEnd(gateway.graphqlUrl, id);
  expect(seen.at(-1)).toMatchObject({ state: 'SUCCESS', imageUrl: url });

  await gateway.close();
  const next = await startGateway({ dataDir: gateway.dataDir });
  const served = await fetch(next.url + new URL(url).pathname);
  expect(served.headers.get('content-type')).toBe('image/webp');
  expect(Buffer.from(await served.arrayBuffer()).equals(bytes)).toBe(true);
});

const WINDOW_MS = 5000;

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('a body is not too slow because this process stood still while it arrived', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  let arrive: (chunk: Buffer) => void = () => undefined;
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise<IteratorResult<Buffer>>((resolve) => {
          arrive = (value) => {
            resolve({ done: false, value });
          };
        }),
    }),
  };
  const body = atLeastPace(source, { bytes: 10, windowMs: WINDOW_MS });
  const first = body.next();
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
  vi.advanceTimersByTime(WINDOW_MS);
  arrive(Buffer.alloc(10));
  expect((await first).value).toHaveLength(10);

  const second = body.next();
  vi.advanceTimersByTime(2 * WINDOW_MS);
  await expect(second).rejects.toThrow(TooSlowError);
});
