import { openConnections, type StoreLocation } from '../../src/store/open-connections.ts';
import type { ArchiveStore } from '../../src/archive/archive-store.ts';
import { createTaskStore, type TaskStoreOptions } from '../../src/store/store.ts';
import type { UploadStore } from '../../src/images/upload.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { recordFailure, onTestEnd } from './waits.ts';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
import { execFile } from 'node:child_process';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DatabaseSync, type SqliteDatabase } from '../../src/store/sqlite/driver.ts';
import { STORE_FILE } from '../../src/store/sqlite/open.ts';
import { temporaryDir } from './gateway.ts';

/** Uses a SQLite database as another program on this machine does. */
export function inSqlite<T>(dataDir: string, use: (database: SqliteDatabase) => T): T {
  const database = new DatabaseSync(join(dataDir, STORE_FILE), { timeout: 5000 });
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** A real store as a process opens it; whoever opened it closes it. `publish` is told every change. */
export async function openTaskStore(
  location: StoreLocation,
  publish: (changes: readonly VisibleRecord[]) => void = () => undefined,
  options: Partial<TaskStoreOptions> = {},
): Promise<TaskStore & UploadStore & ArchiveStore> {
  const { onError = report } = options;
  const connections = await openConnections(location, { mayMigrate: true, onError });
  return createTaskStore(connections, {
    audience: { publish, size: () => 1, restart: () => undefined },
    ...options,
    onError,
  });
}

/** The embedded store in a directory. */
export function openSqliteStore(
  dataDir: string,
  publish?: (changes: readonly VisibleRecord[]) => void,
): Promise<TaskStore & UploadStore & ArchiveStore> {
  return openTaskStore({ kind: 'sqlite', dataDir }, publish);
}

function report(error: unknown): void {
  recordFailure(`The store met an error: ${String(error)}`);
}

/** Databases that no test uses right now; making one takes longer than most tests. */
const free: string[] = [];

/** A PostgreSQL database of the test's own in which nothing was ever stored. Returns its address. */
export async function temporaryDatabase(): Promise<string> {
  return (await borrowDatabase()).url;
}

/** The same for who needs many in one test, one after the other: `giveBack` makes it ready for the next. */
async function borrowDatabase(): Promise<{ readonly url: string; giveBack(): Promise<void> }> {
  const url = free.pop() ?? (await createDatabase());
  let isBorrowed = true;
  const giveBack = async (): Promise<void> => {
    if (!isBorrowed) return;
    isBorrowed = false;
    await queryDatabase(url, EMPTY);
    free.push(url);
  };
  onTestEnd(giveBack);
  return { url, giveBack };
}

/** The same, and not even a table was ever made in it. */
export async function emptyDatabase(): Promise<string> {
  const url = await createDatabase();
  onTestEnd(async () => {
    await queryDatabase(inject('postgresUrl'), `drop database ${nameOf(url)} with (force)`);
  });
  return url;
}

/** Ends what a test left open, and takes out all that was put in; the tables stay where there are any. */
const EMPTY = `
  select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid();
  do $$ begin
    if to_regclass('tasks') is not null then
      truncate tasks, slots, secrets, uploads, video_copies restart identity;
      update counters set value = 0;
    end if;
  end $$;`;

async function createDatabase(): Promise<string> {
  const name = `kineograph_${randomUUID().replaceAll('-', '')}`;
  await queryDatabase(inject('postgresUrl'), `create database ${name}`);
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  return url.href;
}

function nameOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

/** Runs statements in a database over a connection of their own; returns the rows of the last one. */
export async function queryDatabase(
  url: string,
  statement: string,
): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(statement);
    return rows;
  } finally {
    await client.end();
  }
}

/** A real way in which a store cannot be written for a while. */
export interface StoreTrouble {
  readonly name: string;
  /** What the log gives as the reason. */
  readonly reason: string;
  /** A data directory that the trouble can befall. */
  dataDir(): Promise<string>;
  /** Begins it for a gateway that runs on such a directory; the returned function ends it. */
  begin(gateway: { readonly dataDir: string; readonly pid: number }): Promise<() => Promise<void>>;
}

/** Another process holds the lock that every write needs, as a backup or an administrator's shell may. */
export const LOCKED: StoreTrouble = {
  name: 'locked by another process',
  reason: 'database is locked',
  dataDir: temporaryDir,
  begin({ dataDir }) {
    const other = new DatabaseSync(join(dataDir, 'kineograph.db'));
    onTestEnd(() => {
      other.close();
    });
    // The gateway may be committing right now.
    other.exec('PRAGMA busy_timeout = 10000');
    other.exec('BEGIN IMMEDIATE');
    return Promise.resolve(() => {
      other.exec('ROLLBACK');
      return Promise.resolve();
    });
  },
};

/** The directory is a small file system of its own, filled to its last byte. */
const FULL: StoreTrouble = {
  name: 'on a full disk',
  reason: 'database or disk is full',
  dataDir: mountSmall,
  async begin({ dataDir }) {
    const ballast = join(dataDir, 'ballast');
    await writeFile(ballast, Buffer.alloc(2 * SMALL_BYTES)).catch(() => undefined);
    return () => rm(ballast);
  },
};

/** The files that are written to are immutable, also for those who had opened them before. */
const READ_ONLY: StoreTrouble = {
  name: 'with read-only files',
  reason: 'disk I/O error',
  dataDir: temporaryDir,
  async begin({ dataDir }) {
    const files = ['kineograph.db', 'kineograph.db-wal'].map((name) => join(dataDir, name));
    await run('chattr', ['+i', ...files]);
    const end = async (): Promise<void> => {
      await run('chattr', ['-i', ...files]);
    };
    onTestEnd(end);
    return end;
  },
};

/** What anybody may do: forbid the process to let any file grow. */
const NOT_GROWING: StoreTrouble = {
  name: 'in files that must not grow',
  reason: 'disk I/O error',
  dataDir: temporaryDir,
  async begin({ dataDir, pid }) {
    const { size } = await stat(join(dataDir, 'kineograph.db-wal'));
    // The soft limit only: the hard one could not be raised again.
    await run('prlimit', ['--pid', String(pid), `--fsize=${size}:`]);
    return async () => {
      await run('prlimit', ['--pid', String(pid), '--fsize=unlimited:']);
    };
  },
};

/** The data directory has another name for a while. */
const MOVED: StoreTrouble = {
  name: 'whose directory was moved',
  reason: 'kineograph.db was deleted, moved or replaced',
  dataDir: temporaryDir,
  async begin({ dataDir }) {
    const elsewhere = `${dataDir}-moved`;
    await rename(dataDir, elsewhere);
    onTestEnd(() => rm(elsewhere, { recursive: true, force: true }));
    return () => rename(elsewhere, dataDir);
  },
};

/** Those that this machine lets us make: a full disk and read-only files take root, and not every container has them. */
export async function possibleTroubles(): Promise<readonly StoreTrouble[]> {
  const all = [
    { trouble: LOCKED, isPossible: true },
    { trouble: NOT_GROWING, isPossible: true },
    { trouble: MOVED, isPossible: true },
    { trouble: FULL, isPossible: await works(tryMount) },
    { trouble: READ_ONLY, isPossible: await works(tryChattr) },
  ];
  return all.filter(({ isPossible }) => isPossible).map(({ trouble }) => trouble);
}

const SMALL_BYTES = 4 * 1024 * 1024;

const run = promisify(execFile);

async function mountSmall(): Promise<string> {
  const dir = await temporaryDir();
  await mount(dir);
  onTestEnd(async () => {
    await run('umount', [dir]);
  });
  return dir;
}

async function mount(dir: string): Promise<void> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_BYTES}`, 'tmpfs', dir]);
}

async function tryMount(dir: string): Promise<void> {
  await mount(dir);
  await run('umount', [dir]);
}

async function tryChattr(dir: string): Promise<void> {
  const file = join(dir, 'file');
  await writeFile(file, '');
  await run('chattr', ['+i', file]);
  await run('chattr', ['-i', file]);
}

async function works(attempt: (dir: string) => Promise<void>): Promise<boolean> {
  const dir = await temporaryDir();
  try {
    await attempt(dir);
    return true;
  } catch {
    return false;
  }
}
