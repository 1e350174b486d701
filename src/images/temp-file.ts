import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A temporary file cannot be used: the disk is full, or too many files are open. */
export class TempFileError extends Error {
  override readonly name = 'TempFileError';

  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`a temporary file cannot be used: ${reason}`, { cause });
  }
}

/** A file without a name: the system deletes it when it is closed, and when this process ends, however it ends. */
export interface TempFile {
  /** Resolves when the chunk is written; whoever waits for that holds one chunk in memory. */
  append(chunk: Buffer): Promise<void>;
  /** All of it from the beginning; may be called again. */
  read(): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

const CHUNK_BYTES = 64 * 1024;

/** Creates an empty file in the system's temporary directory. Like `append`, rejects with TempFileError. */
export async function openTempFile(): Promise<TempFile> {
  const file = await openNamelessFile();
  return {
    append: (chunk) => file.appendFile(chunk).catch(fail),
    read: () => chunksOf(file),
    close: () => file.close(),
  };
}

/** The same in any directory, as a handle for reading and writing. */
export async function openNamelessFile(directory = tmpdir()): Promise<FileHandle> {
  const path = join(directory, `kineograph-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600).catch(fail);
  await unlink(path).catch(async (error: unknown) => {
    await file.close();
    fail(error);
  });
  return file;
}

function fail(error: unknown): never {
  throw new TempFileError(error);
}

/** All of a file from its beginning. Not a stream of the handle: a stream either closes the handle at its end or prevents it from being closed. */
export async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ;) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(CHUNK_BYTES), position });
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
