import { sql } from 'kysely';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import { inspectSqlite } from '../../src/store/sqlite/inspect.ts';
import { openConnections } from '../../src/store/open-connections.ts';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { quickDir } from '../kit/gateway.ts';
import { onTestEnd, recordFailure } from '../kit/waits.ts';
import { openSqliteStore } from '../kit/store.ts';
import { insertVisible } from './records.ts';

function makeFifo(path: string): void {
  execFileSync('mkfifo', [path]);
}

/** Connections in a directory, closed at the end of the test. */
async function open(dataDir: string) {
  const connections = await openConnections(
    { kind: 'sqlite', dataDir },
    { mayMigrate: true, onError: report },
  );
  onTestEnd(() => connections.close());
  return connections;
}

const report = (error: unknown): void => {
  recordFailure(String(error));
};

async function openStore(dataDir: string) {
  const store = await openSqliteStore(dataDir);
  onTestEnd(() => store.close());
  return store;
}

describe('the embedded store', () => {
  it.each(['writer', 'reader'] as const)(
    'the %s of SQLite uses a write-ahead log and syncs every commit',
    async (name) => {
      const connection = (await open(await quickDir()))[name];
      expect((await sql`pragma journal_mode`.execute(connection)).rows).toEqual([{ journal_mode: 'wal' }]);
      const FULL = 2;
      expect((await sql`pragma synchronous`.execute(connection)).rows).toEqual([{ synchronous: FULL }]);
    },
  );

  it('a closed SQLite store is one complete file', async () => {
    const dataDir = await quickDir();
    const store = await openStore(dataDir);
    const task = await insertVisible(store);
    await store.close();
    expect(readdirSync(dataDir).sort()).toEqual(['kineograph.db', 'kineograph.lock']);
    const again = await openStore(dataDir);
    expect(await again.find('ann', task.id)).toEqual(task);
  });

  it('a write fails while another program locks the database, and the next one succeeds', async () => {
    const dataDir = await quickDir();
    const store = await openStore(dataDir);
    const intruder = new DatabaseSync(join(dataDir, 'kineograph.db'));
    onTestEnd(() => {
      intruder.close();
    });
    intruder.exec('BEGIN IMMEDIATE');
    await expect(insertVisible(store)).rejects.toThrow(StoreUnavailableError);
    await expect(store.newestRevision()).resolves.toBe(0);
    intruder.exec('ROLLBACK');
    const task = await insertVisible(store);
    expect(await store.find('ann', task.id)).toEqual(task);
  });
});

describe('a data directory', () => {
  it('a missing data directory is created with its parents', async () => {
    const dataDir = join(await quickDir(), 'not', 'there', 'yet');
    await insertVisible(await openStore(dataDir));
    expect(existsSync(join(dataDir, 'kineograph.db'))).toBe(true);
  });

  it('a data directory in use is refused with advice', async () => {
    const dataDir = await quickDir();
    await open(dataDir);
    await expect(open(dataDir)).rejects.toThrow(
      `DATA_DIR ${dataDir} is in use by another Kineograph process. Stop that one, or give this one a DATA_DIR of its own.`,
    );
  });

  it('a refused process does not release the lock of the first', async () => {
    const dataDir = await quickDir();
    const store = await openStore(dataDir);
    for (let n = 0; n < 2; n += 1) await expect(open(dataDir)).rejects.toThrow('in use');
    const task = await insertVisible(store);
    expect(await store.find('ann', task.id)).toEqual(task);
  });

  it('closing the store releases the data directory', async () => {
    const dataDir = await quickDir();
    await (await open(dataDir)).close();
    await expect(open(dataDir)).resolves.toBeDefined();
  });

  it('a data directory and its files are private, even if they were not before', async () => {
    const dataDir = join(await quickDir(), 'data');
    await (await open(dataDir)).close();
    for (const [path, mode] of [
      [dataDir, 0o755],
      [join(dataDir, 'kineograph.db'), 0o644],
    ] as const)
      chmodSync(path, mode);
    await open(dataDir);
    const modes = readdirSync(dataDir).map((name) => statSync(join(dataDir, name)).mode & 0o777);
    expect(modes).toEqual(modes.map(() => 0o600));
    // Beside the lock and the database its log and its shared memory.
    expect(modes).toHaveLength(4);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  });

  it('a data directory with other files stays accessible, but not the store in it', async () => {
    const dataDir = await quickDir();
    writeFileSync(join(dataDir, 'notes.txt'), '');
    chmodSync(dataDir, 0o755);
    await open(dataDir);
    expect(statSync(dataDir).mode & 0o777).toBe(0o755);
    expect(statSync(join(dataDir, 'kineograph.db')).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['garbage', () => Buffer.from('This is no database, however long one looks at it.'.repeat(20))],
    ['cut in half', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
  ])('a database that is %s is refused with its path and advice', async (_, damage) => {
    const dataDir = await quickDir();
    const path = join(dataDir, 'kineograph.db');
    await (await open(dataDir)).close();
    const damaged = damage(readFileSync(path));
    writeFileSync(path, damaged);
    await expect(open(dataDir)).rejects.toThrow(
      new RegExp(
        `^${path} is damaged, or no SQLite database \\(.+\\). Restore a backup of it. To begin with an empty`,
      ),
    );
    expect(readFileSync(path)).toEqual(damaged);
  });

  it('a database that cannot be opened does not leave the data directory locked', async () => {
    const dataDir = await quickDir();
    const other = await quickDir();
    writeFileSync(
      join(dataDir, 'kineograph.db'),
      'This is no database, however long one looks at it.'.repeat(20),
    );
    await expect(open(dataDir)).rejects.toThrow('no SQLite database');
    await expect(open(dataDir)).rejects.toThrow('no SQLite database');
    await expect(open(other)).resolves.toBeDefined();
  });

  it.each([
    ['a FIFO', 'kineograph.lock', makeFifo],
    ['a FIFO', 'kineograph.db', makeFifo],
    ['a FIFO', 'kineograph.db-wal', makeFifo],
    ['a directory', 'kineograph.lock', mkdirSync],
    ['a directory', 'kineograph.db', mkdirSync],
  ] as const)('%s with the name %s is refused with its path and advice', async (_, name, make) => {
    const dataDir = await quickDir();
    const path = join(dataDir, name);
    make(path);
    const advice = `${path} is not a regular file. Move it away, or choose another DATA_DIR, and start again.`;
    await expect(open(dataDir)).rejects.toThrow(advice);
    if (name === 'kineograph.db') await expect(inspectSqlite(dataDir)).rejects.toThrow(advice);
    rmSync(path, { recursive: true });
    await expect(open(dataDir)).resolves.toBeDefined();
  });

  it.each([
    ['is a file', 'file'],
    ['lies below a file', join('file', 'below')],
  ])('a data directory that %s is refused with advice', async (_, path) => {
    const dir = await quickDir();
    writeFileSync(join(dir, 'file'), '');
    const dataDir = join(dir, path);
    await expect(open(dataDir)).rejects.toThrow(`DATA_DIR ${dataDir} cannot be written to (`);
    await expect(open(dataDir)).rejects.toThrow(
      'Make it a directory that this user may write to, or choose another.',
    );
  });
});
