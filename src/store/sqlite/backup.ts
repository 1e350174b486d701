import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { STORE_FILE } from './open.ts';
import { isDataDirLocked, lockDataDir, privateFile } from './data-dir.ts';
import { DatabaseSync } from './driver.ts';

/** Covers a commit of the gateway that is in progress. */
const BUSY_TIMEOUT_MS = 5000;

/**
 * Copies the store of a data directory into a new file, as one consistent snapshot, while a gateway may be using it. The copy is
 * verified, synced, and private to this user. Returns its number of tasks; throws an error that says what to do.
 */
export function backUpSqlite(dataDir: string, file: string): number {
  const from = join(dataDir, STORE_FILE);
  if (!existsSync(from)) throw new Error(`There is no store in DATA_DIR ${dataDir}; nothing was backed up.`);
  if (existsSync(file)) throw new Error(`${file} exists already. Choose another name.`);
  // The final name appears only when the copy is complete.
  const unfinished = `${file}.unfinished`;
  rmSync(unfinished, { force: true });
  // If no gateway runs, none may start meanwhile: it would find WAL files that belong to this user.
  const unlock = isDataDirLocked(dataDir) ? () => undefined : lockDataDir(dataDir);
  try {
    copy(from, unfinished);
    const tasks = check(unfinished);
    renameSync(unfinished, file);
    syncDir(dirname(resolve(file)));
    return tasks;
  } catch (error) {
    rmSync(unfinished, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${from} could not be backed up to ${file} (${reason}); no file was left there.`, {
      cause: error,
    });
  } finally {
    unlock();
  }
}

function copy(from: string, to: string): void {
  privateFile(to);
  const database = new DatabaseSync(from, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.exec(`vacuum into '${to.replaceAll("'", "''")}'`);
  } finally {
    database.close();
  }
}

function check(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const [found] = database.prepare('pragma integrity_check(1)').all() as { integrity_check: string }[];
    if (found?.integrity_check !== 'ok')
      throw new Error(`the copy is damaged: ${found?.integrity_check ?? ''}`);
    const [count] = database.prepare('select count(*) as tasks from tasks').all() as { tasks: number }[];
    return count?.tasks ?? 0;
  } finally {
    database.close();
  }
}

/** Makes a rename in a directory durable. */
function syncDir(directory: string): void {
  const handle = openSync(directory, 'r');
  fsyncSync(handle);
  closeSync(handle);
}
