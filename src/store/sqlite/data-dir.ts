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

/** Files of the gateway and its sandbox, and `lost+found` of a mounted file system. */
const OURS = /^(kineograph\.|sandbox|lost\+found$)/;

/** Files of which SQLite reads whatever is there, and waits for ever for a FIFO. */
const DATABASE_FILES = /^kineograph\.(?:db|lock)(?:-journal|-shm|-wal)?$/;

/** The permissions of group and others. */
const OTHERS = 0o077;

/** A disk with less space counts as full: SQLite's shared memory alone takes 32 KiB. */
const FULL_BYTES = 64 * 1024;

/**
 * Locks a data directory for this process and creates it if missing; the returned function unlocks it. Our files in it become
 * private to their owner. The operating system releases the lock of a killed process. Throws an error that says what to do.
 */
export function lockDataDir(dataDir: string): () => void {
  try {
    makeDir(dataDir);
    assertRegularFiles(dataDir);
    for (const path of openToOthers(dataDir)) chmodSync(path, statSync(path).mode & ~OTHERS);
    return lock(join(dataDir, LOCK_FILE));
  } catch (error) {
    throw unusable(dataDir, LOCK_FILE, error);
  }
}

/**
 * Creates a directory and its parents. Node's `recursive` option loops forever if an existing directory accepts no children,
 * such as /proc: https://github.com/nodejs/node/blob/v24.0.0/src/node_file.cc (MKDirpSync).
 */
function makeDir(path: string): void {
  if (existsSync(path)) return;
  makeDir(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have created it.
    if (!existsSync(path)) throw error;
  }
}

/**
 * Paths that other users can access although this user owns them: our files in the directory, and the directory itself unless
 * it also holds other files.
 */
export function openToOthers(dataDir: string): readonly string[] {
  const names = readdirSync(dataDir);
  const files = names.filter((name) => OURS.test(name)).map((name) => join(dataDir, name));
  const paths = files.length === names.length ? [dataDir, ...files] : files;
  return paths.filter((path) => {
    // SQLite may have deleted it in the meantime.
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.uid === process.getuid?.() && ((found?.mode ?? 0) & OTHERS) !== 0;
  });
}

class IrregularFileError extends Error {}

/** Throws an error that says what to do if something else than a file has the name of a file of the store. */
export function assertRegularFiles(dataDir: string): void {
  for (const name of readdirSync(dataDir).filter((found) => DATABASE_FILES.test(found))) {
    const path = join(dataDir, name);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false)
      throw new IrregularFileError(
        `${path} is not a regular file. Move it away, or choose another DATA_DIR, and start again.`,
      );
  }
}

/** Creates a file that only this user can access, unless it exists. */
export function privateFile(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
}

/** Whether a process holds the lock of a data directory. Read-only. */
export function isDataDirLocked(dataDir: string): boolean {
  const path = join(dataDir, LOCK_FILE);
  if (!existsSync(path)) return false;
  assertRegularFiles(dataDir);
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

/** An error that says why a file in a data directory cannot be used, and what to do. */
export function unusable(dataDir: string, name: string, cause: unknown): Error {
  if (cause instanceof IrregularFileError) return cause;
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
      : `${path} is locked by another program (${reason}). Stop that program and start again.`;
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
    // Virtual file systems such as /proc have no blocks.
    return blocks > 0 && bavail * bsize < FULL_BYTES;
  } catch {
    return false;
  }
}

function lock(path: string): () => void {
  privateFile(path);
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    // In memory, so that a killed process leaves no journal file.
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
