import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { ReceivedFile } from './storage.ts';

/** Writes a file from its beginning, and hashes what it writes. */
export interface VideoWriter {
  /** How much it has written since it began or restarted. */
  readonly bytes: number;
  /** What the file rejected a write with; null so far. */
  readonly error: Error | null;
  append(chunk: Buffer): Promise<void>;
  /** Empties the file. */
  restart(): Promise<void>;
  /** To be called once, behind the last byte. */
  finish(): ReceivedFile;
}

/** Rejects with errors of the file only. */
export function createVideoWriter(file: FileHandle): VideoWriter {
  let hash: Hash = createHash('sha256');
  let bytes = 0;
  let failure: Error | null = null;

  async function attempt(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      throw failure;
    }
  }

  return {
    get bytes() {
      return bytes;
    },
    get error() {
      return failure;
    },
    append: (chunk) =>
      attempt(async () => {
        hash.update(chunk);
        for (let done = 0; done < chunk.length;) {
          const { bytesWritten } = await file.write(chunk, done, chunk.length - done, bytes + done);
          done += bytesWritten;
        }
        bytes += chunk.length;
      }),
    restart: () =>
      attempt(async () => {
        await file.truncate(0);
        hash = createHash('sha256');
        bytes = 0;
      }),
    finish: () => ({ sha256: hash.digest('hex'), bytes }),
  };
}
