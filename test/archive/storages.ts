import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDiskStorage } from '../../src/archive/disk.ts';
import { openS3Storage, type S3Options } from '../../src/archive/s3.ts';
import type { VideoStorage } from '../../src/archive/storage.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { S3_KEY, S3_REGION, S3_SECRET, startS3, type S3Server } from '../kit/s3-server.ts';
import { onTestEnd } from '../kit/waits.ts';

export const VIDEO = randomBytes(300_000);

export function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

interface Opened {
  readonly storage: VideoStorage;
  /** The SHA-256 of all objects, by file name. */
  readonly objects: () => Promise<Readonly<Record<string, string>>>;
}

export async function onDisk(): Promise<Opened> {
  const directory = await temporaryDir();
  const storage = await openDiskStorage(directory);
  onTestEnd(() => storage.close());
  return {
    storage,
    async objects() {
      const names = (await readdir(directory)).filter((name) => name.endsWith('.mp4'));
      return Object.fromEntries(
        await Promise.all(
          names.map(async (name) => [name, hashOf(await readFile(join(directory, name)))] as const),
        ),
      );
    },
  };
}

/** Times out late, and retries soon. */
export const S3_TIMINGS = { connect: 30_000, idle: 30_000, answer: 30_000, upload: 30_000, pause: 10 };

/** Options of a storage that the server accepts. */
export function optionsFor({ url }: Pick<S3Server, 'url'>): S3Options {
  return {
    url,
    region: S3_REGION,
    accessKeyId: S3_KEY,
    secretAccessKey: S3_SECRET,
    sessionToken: null,
    serve: 'redirect',
    incoming: tmpdir(),
    proxy: null,
    timings: S3_TIMINGS,
  };
}

export async function inS3(
  over: Partial<S3Options> = {},
  server: Parameters<typeof startS3>[0] = {},
): Promise<Opened & { readonly s3: S3Server }> {
  const s3 = await startS3(server);
  const storage = openS3Storage({ ...optionsFor(s3), ...over });
  onTestEnd(() => storage.close());
  const hashes = (): [string, string][] => [...s3.objects].map(([name, bytes]) => [name, hashOf(bytes)]);
  return { s3, storage, objects: () => Promise.resolve(Object.fromEntries(hashes())) };
}

/** Receives bytes in a file and keeps them as an object, with other facts if told so. */
export async function keep(
  { storage }: Pick<Opened, 'storage'>,
  name: string,
  bytes: Buffer,
  facts: { readonly sha256?: string; readonly bytes?: number } = {},
): Promise<void> {
  const file = await storage.receive();
  try {
    await file.handle.writeFile(bytes);
    await storage.keep(file, name, { sha256: hashOf(bytes), bytes: bytes.length, ...facts });
  } finally {
    await file.discard();
  }
}
