import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  statfsSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync, SQLITE, sqliteCode } from './driver.ts';

const LOCK_FILE = 'kineograph.lock';

/** What the gateway and its sandbox keep in a data directory, and what a file system of its own has in it. */
const OURS = /^(kineograph\.|sandbox|lost\+found$)/;

/** Everybody but the owner. */
const OTHERS = 0o077;

/** With less than this the disk counts as full: SQLite's shared memory alone takes 32 KiB. */
const FULL_BYTES = 64 * 1024;

/**
 * Takes a data directory for this process alone, creating it when it is missing; the returned function gives it back.
 * What this user owns in it is closed to other users. The lock is one of the operating system's on an open file, so that
 * a killed process leaves none behind. Throws an error that says what to do.
 */
export function lockDataDir(dataDir: string): () => void {
  try {
    makeDir(dataDir);
    for (const path of openToOthers(dataDir)) chmodSync(path, statSync(path).mode & ~OTHERS);
    return lock(join(dataDir, LOCK_FILE));
  } catch (error) {
    throw unusable(dataDir, LOCK_FILE, error);
  }
}

/**
 * Creates a directory and those above it. Node's `recursive` tries again for ever where a directory that exists takes no
 * other one, such as /proc: https://github.com/nodejs/node/blob/v24.0.0/src/node_file.cc (MKDirpSync).
 */
function makeDir(path: string): void {
  if (existsSync(path)) return;
  makeDir(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(path)) throw error;
  }
}

/**
 * What other users of this machine may look into although it belongs to this one: the directory, unless it holds files of
 * others as well, and the files of ours in it.
 */
export function openToOthers(dataDir: string): readonly string[] {
  const names = readdirSync(dataDir);
  const files = names.filter((name) => OURS.test(name)).map((name) => join(dataDir, name));
  const paths = files.length === names.length ? [dataDir, ...files] : files;
  return paths.filter((path) => {
    // SQLite may have taken it away by now.
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.uid === process.getuid?.() && ((found?.mode ?? 0) & OTHERS) !== 0;
  });
}

/** Makes a file that only this user may read, unless there is one. */
export function privateFile(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
}

/** Whether a process has the data directory now. Changes nothing. */
export function isDataDirLocked(dataDir: string): boolean {
  const path = join(dataDir, LOCK_FILE);
  if (!existsSync(path)) return false;
  const file = new DatabaseSync(path, { readOnly: true, timeout: 0 });
  try {
    file.exec('select 1 from sqlite_master');
    return false;
  } catch (error) {
    if (sqliteCode(error) === SQLITE.BUSY) return true;
    throw error;
  } finally {
    file.close();
  }
}

/** Says why a file in a data directory cannot be used, and the way out. */
export function unusable(dataDir: string, name: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(explain(dataDir, name, { code: sqliteCode(cause), reason }), { cause });
}

function explain(
  dataDir: string,
  name: string,
  { code, reason }: { readonly code: number | null; readonly reason: string },
): string {
  const path = join(dataDir, name);
  if (code === SQLITE.BUSY)
    return name === LOCK_FILE
      ? `DATA_DIR ${dataDir} is in use by another Kineograph process. Stop that one, or give this one a DATA_DIR of its own.`
      : `${path} is held by another program (${reason}). Let that program end, and start again.`;
  if (code === SQLITE.NOTADB || code === SQLITE.CORRUPT)
    return `${path} is damaged, or no SQLite database (${reason}). Restore a backup of it. To begin with an empty store, move it away, with the files ${name}-wal and ${name}-shm.`;
  if (code === SQLITE.FULL || isDiskFull(dataDir))
    return `The disk of DATA_DIR ${dataDir} is full (${reason}). Free some space, or choose another directory, and start again.`;
  return name === LOCK_FILE
    ? `DATA_DIR ${dataDir} cannot be written to (${reason}). Make it a directory that this user may write to, or choose another.`
    : `${path} cannot be used (${reason}). Check that this user may write to it and that the disk works, or choose another DATA_DIR.`;
}

function isDiskFull(dataDir: string): boolean {
  try {
    const { bavail, blocks, bsize } = statfsSync(dataDir);
    // File systems that store nothing, such as /proc, have no blocks.
    return blocks > 0 && bavail * bsize < FULL_BYTES;
  } catch {
    return false;
  }
}

function lock(path: string): () => void {
  privateFile(path);
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    // Memory: a journal file left behind by a killed process would be one more thing to recover.
    file.exec('pragma journal_mode = MEMORY');
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    throw error;
  }
  return () => {
    if (file.isOpen) file.close();
  };
}
