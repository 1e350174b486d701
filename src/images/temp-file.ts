import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The disk does not take it, or too many files are open. */
export class SpoolError extends Error {
  override readonly name = 'SpoolError';

  constructor(cause: unknown) {
    super(`a temporary file cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** A file without a name: it is gone when it is closed, and when this process dies, however it dies. */
export interface Spool {
  /** Fulfilled when it is written, so that whoever waits for that holds one chunk at a time. */
  append(chunk: Buffer): Promise<void>;
  /** All of it, from its beginning; as often as it is asked for. */
  read(): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

const CHUNK_BYTES = 64 * 1024;

/** Makes an empty one in the system's directory for temporary files. It and its methods reject with SpoolError. */
export async function openSpool(): Promise<Spool> {
  const path = join(tmpdir(), `kineograph-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600).catch(fail);
  await unlinkOr(path, file).catch(fail);
  return {
    append: (chunk) => file.appendFile(chunk).catch(fail),
    read: () => chunksOf(file),
    close: () => file.close(),
  };
}

function fail(error: unknown): never {
  throw new SpoolError(error);
}

async function unlinkOr(path: string, file: FileHandle): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Not a stream of the handle: the one that ends closes it, or else keeps it from being closed. */
async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ;) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(CHUNK_BYTES), position });
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
