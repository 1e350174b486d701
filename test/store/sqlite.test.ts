import { sql } from 'kysely';
import { chmodSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import { openConnections } from '../../src/store/open-connections.ts';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { quickDir } from '../support/gateway.ts';
import { onTestEnd, recordFailure } from '../support/leftovers.ts';
import { openSqliteStore } from '../support/open-store.ts';
import { insertVisible } from './records.ts';

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
    'has what it acknowledges on disk: the %s works with a write-ahead log and waits for every commit to be synced',
    async (name) => {
      const connection = (await open(await quickDir()))[name];
      expect((await sql`pragma journal_mode`.execute(connection)).rows).toEqual([{ journal_mode: 'wal' }]);
      const FULL = 2;
      expect((await sql`pragma synchronous`.execute(connection)).rows).toEqual([{ synchronous: FULL }]);
    },
  );

  it('keeps its data in one database that is whole once it is closed', async () => {
    const dataDir = await quickDir();
    const store = await openStore(dataDir);
    const task = await insertVisible(store);
    await store.close();
    expect(readdirSync(dataDir).sort()).toEqual(['kineograph.db', 'kineograph.lock']);
    const again = await openStore(dataDir);
    expect(await again.find('ann', task.id)).toEqual(task);
  });

  it('leaves no connection open, not even one that was never used', async () => {
    const dataDir = await quickDir();
    await (await open(dataDir)).close();
    // The last connection to a database takes its write-ahead log away.
    expect(existsSync(join(dataDir, 'kineograph.db-wal'))).toBe(false);
  });

  it('refuses a write while another program holds the database, and takes the next one', async () => {
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
  it('is made when it is missing, with the directories above it', async () => {
    const dataDir = join(await quickDir(), 'not', 'there', 'yet');
    await insertVisible(await openStore(dataDir));
    expect(existsSync(join(dataDir, 'kineograph.db'))).toBe(true);
  });

  it('that is in use is refused to a second one, which is told what to do', async () => {
    const dataDir = await quickDir();
    await open(dataDir);
    await expect(open(dataDir)).rejects.toThrow(
      `DATA_DIR ${dataDir} is in use by another Kineograph process. Stop that one, or give this one a DATA_DIR of its own.`,
    );
  });

  it('stays its first user’s after a second one was refused', async () => {
    const dataDir = await quickDir();
    const store = await openStore(dataDir);
    for (let n = 0; n < 2; n += 1) await expect(open(dataDir)).rejects.toThrow('in use');
    const task = await insertVisible(store);
    expect(await store.find('ann', task.id)).toEqual(task);
  });

  it('is free again once it was closed', async () => {
    const dataDir = await quickDir();
    await (await open(dataDir)).close();
    await expect(open(dataDir)).resolves.toBeDefined();
  });

  it('and the files in it are for their owner alone, also when they were open to others before', async () => {
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

  it('that holds files of others stays open to them, but not the store in it', async () => {
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
  ])('whose database is %s is refused with its path and the way out', async (_, damage) => {
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

  it('is free again after the database in it could not be opened', async () => {
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
    ['is a file', 'file'],
    ['lies below a file', join('file', 'below')],
  ])('that %s is refused with a message that says what to do', async (_, path) => {
    const dir = await quickDir();
    writeFileSync(join(dir, 'file'), '');
    const dataDir = join(dir, path);
    await expect(open(dataDir)).rejects.toThrow(`DATA_DIR ${dataDir} cannot be written to (`);
    await expect(open(dataDir)).rejects.toThrow(
      'Make it a directory that this user may write to, or choose another.',
    );
  });
});
