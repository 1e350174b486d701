import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/** A file that receives a video. Nobody else can see it. */
export interface IncomingFile {
  /** Open for reading and writing. */
  readonly handle: FileHandle;
  /** Closes and deletes the file. Does nothing after `keep`. */
  discard(): Promise<void>;
}

/** Facts about a received file. */
export interface ReceivedFile {
  /** The SHA-256 of all bytes, in hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

/** First and last byte, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Keeps copies of videos as objects. The caller chooses their names, of letters, digits and hyphens. An object is complete or
 * absent, whenever the process ends. Methods reject with StorageError.
 */
export interface VideoStorage {
  /** Creates an empty file. */
  receive(): Promise<IncomingFile>;
  /** Makes the file the object `name`, durably, in place of any earlier one. */
  keep(file: IncomingFile, name: string, received: ReceivedFile): Promise<void>;
  /** Bytes of an object; null if there is no such object. */
  read(name: string, range: ByteRange): Promise<Readable | null>;
  /** A URL under which clients get the object for an hour, with a Content-Disposition or none; null if only `read` serves it. */
  link(name: string, disposition: string | null): Promise<string | null>;
  /** Deletes an object. Resolves if there is no such object. */
  delete(name: string): Promise<void>;
  /** Proves that objects can be stored and read. The message of a rejection says what is wrong and what to do. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

/** The storage refuses or cannot be reached. A video is never to blame for it. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
}

/** The file of an object, below the directory or prefix of a storage. Throws StorageError if the name could lead elsewhere. */
export function fileOf(name: string): string {
  if (!/^[\w-]{1,200}$/.test(name))
    throw new StorageError(`not the name of an object: ${JSON.stringify(name)}`);
  return `${name}.mp4`;
}
