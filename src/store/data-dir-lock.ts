import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BetterSqlite3 } from './better-sqlite3.ts';

const LOCK_FILE = 'kineograph.lock';

/**
 * Takes a data directory for this process alone, creating it when it is missing; the returned function gives it back.
 * The lock is one of the operating system's on an open file, so that a killed process leaves none behind.
 * Throws an error that says what to do when another process has the directory or it cannot be written to.
 */
export function lockDataDir(dataDir: string): () => void {
  try {
    mkdirSync(dataDir, { recursive: true });
    return lock(join(dataDir, LOCK_FILE));
  } catch (error) {
    if (hasCode(error, 'SQLITE_BUSY'))
      throw new Error(
        `DATA_DIR ${dataDir} is in use by another Kineograph process. Stop that one, or give this one a DATA_DIR of its own.`,
        { cause: error },
      );
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `DATA_DIR ${dataDir} cannot be written to (${reason}). Make it a directory that this user may write to, or choose another.`,
      { cause: error },
    );
  }
}

/** Whether a process has the data directory now. Changes nothing. */
export function isDataDirLocked(dataDir: string): boolean {
  const path = join(dataDir, LOCK_FILE);
  if (!existsSync(path)) return false;
  const file = new BetterSqlite3(path, { readonly: true, fileMustExist: true, timeout: 0 });
  try {
    file.prepare('select 1 from sqlite_master').get();
    return false;
  } catch (error) {
    if (hasCode(error, 'SQLITE_BUSY')) return true;
    throw error;
  } finally {
    file.close();
  }
}

function lock(path: string): () => void {
  const file = new BetterSqlite3(path, { timeout: 0 });
  try {
    // Memory: a journal file left behind by a killed process would be one more thing to recover.
    file.pragma('journal_mode = MEMORY');
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    throw error;
  }
  return () => file.close();
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof BetterSqlite3.SqliteError && error.code === code;
}
