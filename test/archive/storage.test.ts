import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, utimes, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { openDiskStorage } from '../../src/archive/disk.ts';
import { openS3Storage, type S3Options } from '../../src/archive/s3.ts';
import { StorageError, type VideoStorage } from '../../src/archive/storage.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { S3_KEY, S3_REGION, S3_SECRET, startS3, type S3Server } from '../kit/s3-server.ts';
import { onTestEnd } from '../kit/waits.ts';

const VIDEO = randomBytes(300_000);

interface Opened {
  readonly storage: VideoStorage;
  /** The bytes of all objects, by name. */
  readonly objects: () => Promise<Readonly<Record<string, Buffer>>>;
}

async function onDisk(): Promise<Opened> {
  const directory = await temporaryDir();
  const storage = await openDiskStorage(directory);
  onTestEnd(() => storage.close());
  return {
    storage,
    async objects() {
      const names = (await readdir(directory)).filter((name) => name.endsWith('.mp4'));
      return Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)),
      );
    },
  };
}

function optionsFor({ url }: Pick<S3Server, 'url'>): S3Options {
  return {
    url,
    region: S3_REGION,
    accessKeyId: S3_KEY,
    secretAccessKey: S3_SECRET,
    sessionToken: null,
    serve: 'redirect',
    proxy: null,
  };
}

async function inS3(over: Partial<S3Options> = {}): Promise<Opened & { readonly s3: S3Server }> {
  const s3 = await startS3();
  const storage = openS3Storage({ ...optionsFor(s3), ...over });
  onTestEnd(() => storage.close());
  return { s3, storage, objects: () => Promise.resolve(Object.fromEntries(s3.objects)) };
}

/** Receives bytes in a file and keeps them as an object. */
async function keep({ storage }: Pick<Opened, 'storage'>, name: string, bytes: Buffer): Promise<void> {
  const file = await storage.receive();
  try {
    await file.handle.writeFile(bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await storage.keep(file, name, { sha256, bytes: bytes.length });
  } finally {
    await file.discard();
  }
}

describe.each([
  ['on disk', onDisk],
  ['in S3', inS3],
])('a storage %s', (_, open) => {
  it('has an object once it is kept, in place of an earlier one, and none of a file that is discarded', async () => {
    const opened = await open();
    await keep(opened, 'task-0', randomBytes(1000));
    await keep(opened, 'task-0', VIDEO);
    const file = await opened.storage.receive();
    await file.handle.writeFile(VIDEO);
    await file.discard();
    expect(await opened.objects()).toEqual({ 'task-0.mp4': VIDEO });
  });

  it('reads ranges of an object, and nothing of one that is missing', async () => {
    const opened = await open();
    await keep(opened, 'task-0', VIDEO);
    for (const [start, end] of [
      [0, VIDEO.length - 1],
      [0, 0],
      [1000, 200_000],
      [VIDEO.length - 1, VIDEO.length - 1],
    ] as const) {
      const stream = await opened.storage.read('task-0', { start, end });
      expect(stream && (await buffer(stream)).equals(VIDEO.subarray(start, end + 1))).toBe(true);
    }
    expect(await opened.storage.read('task-1', { start: 0, end: 0 })).toBeNull();
  });

  it('deletes an object as often as it is asked to', async () => {
    const opened = await open();
    await keep(opened, 'task-0', VIDEO);
    for (let time = 0; time < 2; time += 1) await opened.storage.delete('task-0');
    expect(await opened.objects()).toEqual({});
  });

  it('proves that it works, and leaves nothing of that', async () => {
    const opened = await open();
    await opened.storage.probe();
    expect(await opened.objects()).toEqual({});
  });
});

describe('a storage on disk', () => {
  it('takes no video when too little of the disk would be left', async () => {
    const storage = await openDiskStorage(await temporaryDir(), { reserveBytes: Number.MAX_SAFE_INTEGER });
    onTestEnd(() => storage.close());
    await expect(storage.receive()).rejects.toThrow(/ARCHIVE_MAX_BYTES/);
  });

  it('says what to do about a directory that it cannot use', async () => {
    const directory = await temporaryDir();
    await writeFile(join(directory, 'videos'), '');
    await expect(openDiskStorage(join(directory, 'videos'))).rejects.toThrow(StorageError);
  });

  it('deletes the files of interrupted copies: old ones, and all when it is alone', async () => {
    const directory = await temporaryDir();
    const incoming = join(directory, 'tmp');
    await mkdir(incoming);
    for (const name of ['old', 'new']) await writeFile(join(incoming, name), '');
    await utimes(join(incoming, 'old'), 0, 0);
    await (await openDiskStorage(directory)).close();
    expect(await readdir(incoming)).toEqual(['new']);
    await (await openDiskStorage(directory, { isExclusive: true })).close();
    expect(await readdir(incoming)).toEqual([]);
  });
});

describe('a storage in S3', () => {
  it.each<[string, Partial<S3Options>, RegExp]>([
    ['a wrong secret', { secretAccessKey: 'wrong' }, /SignatureDoesNotMatch.*AWS_SECRET_ACCESS_KEY/],
    ['a wrong region', { region: 'us-east-1' }, /SignatureDoesNotMatch.*AWS_REGION/],
    ['an unknown key', { accessKeyId: 'AKIAWRONG' }, /InvalidAccessKeyId.*AWS_ACCESS_KEY_ID/],
  ])('is refused with %s, and says what to correct and no secret', async (__, over, message) => {
    const { objects, storage } = await inS3(over);
    const error: unknown = await keep({ storage }, 'task-0', VIDEO).catch((reason: unknown) => reason);
    expect(String(error)).toMatch(message);
    expect(String(error)).not.toContain(over.secretAccessKey ?? S3_SECRET);
    expect(await objects()).toEqual({});
  });

  it('is refused when the clocks differ, and says so', async () => {
    const { s3, storage } = await inS3();
    s3.now = () => Date.now() + 3_600_000;
    await expect(storage.probe()).rejects.toThrow(/RequestTimeTooSkewed.*clock/);
  });

  it('says what to do about a bucket that is missing, and about a store that cannot be reached', async () => {
    const s3 = await startS3();
    const { origin } = new URL(s3.url);
    for (const [url, message] of [
      [`${origin}/other`, /NoSuchBucket.*ARCHIVE_S3_URL/],
      ['http://127.0.0.1:1/bucket', /cannot be reached.*ARCHIVE_S3_URL/],
    ] as const) {
      const storage = openS3Storage(optionsFor({ url }));
      onTestEnd(() => storage.close());
      await expect(storage.probe()).rejects.toThrow(message);
    }
  });

  it.each(['unavailable', 'cut'] as const)(
    'stores an object despite requests that are %s',
    async (mishap) => {
      const opened = await inS3();
      opened.s3.mishaps.push(mishap, mishap);
      await keep(opened, 'task-0', VIDEO);
      expect(await opened.objects()).toEqual({ 'task-0.mp4': VIDEO });
    },
  );

  it('links to an object for an hour, with its type and a name', async () => {
    const { s3, storage } = await inS3();
    await keep({ storage }, 'task-0', VIDEO);
    const link = (await storage.link('task-0', 'attachment; filename="a (1)*.mp4"')) ?? '';
    const response = await fetch(link, { headers: { range: 'bytes=5-9' } });
    expect([
      response.status,
      response.headers.get('content-type'),
      response.headers.get('content-disposition'),
    ]).toEqual([206, 'video/mp4', 'attachment; filename="a (1)*.mp4"']);
    expect(Buffer.from(await response.arrayBuffer()).equals(VIDEO.subarray(5, 10))).toBe(true);
    expect((await fetch(link.replace('task-0', 'task-1'))).status).toBe(403);
    s3.now = () => Date.now() + 3_601_000;
    expect((await fetch(link)).status).toBe(403);
  });

  it('links to nothing when the gateway serves the videos', async () => {
    const { storage } = await inS3({ serve: 'proxy' });
    expect(await storage.link('task-0', null)).toBeNull();
  });
});
