import { access, constants, statfs, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Config } from '../../config/config.ts';
import { findingsOf, type Finding } from './findings.ts';
import { dirname, resolve } from 'node:path';

const { failure, ok, warning } = findingsOf('disk');

const MIB = 1024 * 1024;
const LOW_BYTES = 1024 * MIB;
const FULL_BYTES = 64 * MIB;

/** Room for what is kept, and for pictures while they are uploaded. */
export async function checkDisk({ dataDir, databaseUrl, kieApiKey }: Config): Promise<readonly Finding[]> {
  const keepsFiles = databaseUrl === null || kieApiKey === null;
  return Promise.all([
    ...(keepsFiles ? [aboutRoom(`DATA_DIR ${dataDir}`, dataDir)] : []),
    aboutTemporary(tmpdir()),
  ]);
}

async function aboutTemporary(directory: string): Promise<Finding> {
  try {
    await access(directory, constants.W_OK);
  } catch {
    return failure(
      `${directory} cannot be written to: pictures cannot be uploaded`,
      'Let this user write there, or set TMPDIR to another directory.',
    );
  }
  return aboutRoom(`${directory}, for uploads,`, directory);
}

async function aboutRoom(what: string, directory: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestPath(directory));
  return judgeRoom(what, bavail * bsize);
}

/** What is to be said of so many free bytes. */
export function judgeRoom(what: string, bytes: number): Finding {
  const room = `${what} has ${describe(bytes)} free`;
  if (bytes >= LOW_BYTES) return ok(room);
  const mend = 'Free some space: what cannot be stored is refused.';
  return bytes >= FULL_BYTES ? warning(room, mend) : failure(room, mend);
}

function describe(bytes: number): string {
  return bytes < LOW_BYTES ? `${Math.floor(bytes / MIB)} MiB` : `${(bytes / LOW_BYTES).toFixed(1)} GiB`;
}

/** A path, or the nearest one above it that is there. Rejects when something cannot be looked at. */
export async function nearestPath(path: string): Promise<string> {
  let nearest = resolve(path);
  while (!(await isThere(nearest))) nearest = dirname(nearest);
  return nearest;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
