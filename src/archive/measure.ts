import { createHash } from 'node:crypto';
import type { ReceivedFile, VideoStorage } from './storage.ts';

/**
 * Reads an object, at most one byte more than expected, and hashes it; null if there is no such object. Rejects with StorageError,
 * or with the error of the stream.
 */
export async function measureObject(
  storage: VideoStorage,
  name: string,
  expectedBytes: number,
): Promise<ReceivedFile | null> {
  const stream = await storage.read(name, { start: 0, end: expectedBytes });
  if (!stream) return null;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}
