import { createHash, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { chunksOf, openNamelessFile } from '../images/temp-file.ts';
import { assertRoom, failureOf } from './room.ts';
import { createS3Client, type S3ClientOptions } from './s3-client.ts';
import type { ByteRange, ReceivedFile, VideoStorage } from './storage.ts';

export interface S3Options extends S3ClientOptions {
  /** Whether clients are redirected to presigned URLs. */
  readonly serve: 'redirect' | 'proxy';
  /** The directory that receives videos, made when it is first needed. Its files have no names, so that a crash leaves none. */
  readonly incoming: string;
}

/** Without the permission to list a bucket, AWS answers AccessDenied in place of it. */
const NO_SUCH_KEY = 'NoSuchKey';
const PROBE = Buffer.from('kineograph');

/**
 * Keeps objects in an S3-compatible store: one PUT for each, with its SHA-256 signed and as checksum, so that the store refuses
 * other bytes. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 */
export function openS3Storage(options: S3Options): VideoStorage {
  const { incoming, serve } = options;
  const client = createS3Client(options);

  async function put(
    name: string,
    { bytes, sha256 }: ReceivedFile,
    body: () => Readable | Buffer,
  ): Promise<void> {
    const headers = {
      'content-length': String(bytes),
      'content-type': 'video/mp4',
      'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64'),
    };
    const answer = await client.send(name, { method: 'PUT', sha256, headers, body });
    if (answer.status >= 300) throw client.refusal(answer);
  }

  async function remove(name: string): Promise<void> {
    const answer = await client.send(name, { method: 'DELETE' });
    if (answer.status >= 300 && answer.code !== NO_SUCH_KEY) throw client.refusal(answer);
  }

  async function read(name: string, { end, start }: ByteRange): Promise<Readable | null> {
    const answer = await client.send(name, { method: 'GET', headers: { range: `bytes=${start}-${end}` } });
    if (answer.status === 206) return answer.body;
    if (answer.code === NO_SUCH_KEY) return null;
    // The object ends before the range begins.
    if (answer.code === 'InvalidRange') return Readable.from([]);
    // A store that ignores the range sends everything. The limit ends that.
    await answer.body.dump({ limit: 1 });
    throw client.refusal(answer);
  }

  return {
    async receive() {
      const failing = (error: unknown): never => {
        throw failureOf(incoming, error);
      };
      await mkdir(incoming, { recursive: true, mode: 0o700 }).catch(failing);
      await assertRoom(incoming);
      const handle = await openNamelessFile(incoming).catch(failing);
      return { handle, discard: () => handle.close() };
    },
    keep: ({ handle }, name, received) => put(name, received, () => Readable.from(chunksOf(handle))),
    read,
    async link(name, disposition) {
      if (serve === 'proxy') return null;
      return client.presign(name, {
        'response-content-type': 'video/mp4',
        ...(disposition !== null && { 'response-content-disposition': disposition }),
      });
    },
    delete: remove,
    async probe() {
      const name = `kineograph-probe-${randomUUID()}`;
      const sha256 = createHash('sha256').update(PROBE).digest('hex');
      await put(name, { sha256, bytes: PROBE.length }, () => PROBE);
      const body = await read(name, { start: 0, end: PROBE.length - 1 });
      if (!body) throw client.refusal({ status: 404, code: NO_SUCH_KEY });
      await buffer(body);
      await remove(name);
    },
    close: client.close,
  };
}
