import { statfs } from 'node:fs/promises';
import { StorageError } from './storage.ts';

/** With less left on the disk no copies are made. */
export const RESERVE_BYTES = 512 * 1024 * 1024;

const ROOM_ADVICE =
  'Free some, or enlarge the disk. With ARCHIVE=disk, ARCHIVE_MAX_BYTES and ARCHIVE_KEEP_DAYS limit the copies on it.';
const ACCESS_ADVICE = 'Make the directory one that this user may write to, or set ARCHIVE=off.';

/** How many bytes this user may still write to the disk of a path. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** Rejects with StorageError if less is free on the disk of a directory, or it cannot be used. */
export async function assertRoom(directory: string, reserveBytes = RESERVE_BYTES): Promise<void> {
  const free = await freeBytes(directory).catch((error: unknown) => {
    throw failureOf(directory, error);
  });
  if (free >= reserveBytes) return;
  const missing = `${directory} has less than ${Math.ceil(reserveBytes / 1024 ** 2)} MiB left`;
  throw new StorageError(`${missing}. ${ROOM_ADVICE}`);
}

/** Why a directory cannot be used, and what to do. */
export function failureOf(directory: string, error: unknown): StorageError {
  const reason = error instanceof Error ? error.message : String(error);
  const isFull = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT';
  const advice = isFull ? ROOM_ADVICE : ACCESS_ADVICE;
  return new StorageError(`${directory}: ${reason}. ${advice}`, { cause: error });
}

/** Of an error of the system; null for another one. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}
