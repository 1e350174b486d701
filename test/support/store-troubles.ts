import { execFile } from 'node:child_process';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import { temporaryDir } from './gateway.ts';
import { onTestEnd } from './leftovers.ts';

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

/** Those that this machine lets us make: a full disk and read-only files take root, and not every container has them. */
export async function possibleTroubles(): Promise<readonly StoreTrouble[]> {
  const all = [
    { trouble: LOCKED, isPossible: true },
    { trouble: NOT_GROWING, isPossible: true },
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
