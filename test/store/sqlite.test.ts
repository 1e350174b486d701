import { sql } from 'kysely';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openConnections } from '../../src/store/open-connections.ts';
import { inspectSqlite } from '../../src/store/sqlite/open.ts';
import { StoreUnavailableError, type TaskStore } from '../../src/tasks/store.ts';
import { quickDir } from '../kit/gateway.ts';
import { openSqliteStore } from '../kit/store.ts';
import { onTestEnd } from '../kit/waits.ts';
import { insertVisible } from './records.ts';
import { report } from './stores.ts';

const GARBAGE = 'This is no database, however long one looks at it.'.repeat(20);

function makeFifo(path: string): void {
  execFileSync('mkfifo', [path]);
}

/** Connections in a directory, closed at the end of the test. */
async function open(dataDir: string) {
  const location = { kind: 'sqlite', dataDir } as const;
  const connections = await openConnections(location, { mayMigrate: true, onError: report });
  onTestEnd(() => connections.close());
  return connections;
}

async function openStore(dataDir: string): Promise<TaskStore> {
  const store = await openSqliteStore(dataDir);
  onTestEnd(() => store.close());
  return store;
}

const modeOf = (path: string): number => statSync(path).mode & 0o777;

it('SQLite uses a write-ahead log and syncs every commit', async () => {
  const { reader, writer } = await open(await quickDir());
  for (const connection of [writer, reader]) {
    expect((await sql`pragma journal_mode`.execute(connection)).rows).toEqual([{ journal_mode: 'wal' }]);
    const FULL = 2;
    expect((await sql`pragma synchronous`.execute(connection)).rows).toEqual([{ synchronous: FULL }]);
  }
});

it('a missing data directory is created with its parents, and a closed store in it is one complete file', async () => {
  const dataDir = join(await quickDir(), 'not', 'there', 'yet');
  const store = await openStore(dataDir);
  const task = await insertVisible(store);
  await store.close();
  expect(readdirSync(dataDir).sort()).toEqual(['kineograph.db', 'kineograph.lock']);
  expect(await (await openStore(dataDir)).find('ann', task.id)).toEqual(task);
});

it('a data directory in use is refused with advice until its store is closed', async () => {
  const dataDir = await quickDir();
  const store = await openStore(dataDir);
  for (let time = 0; time < 2; time += 1)
    await expect(open(dataDir)).rejects.toThrow(
      `DATA_DIR ${dataDir} is in use by another Kineograph process. Stop that one, or give this one a DATA_DIR of its own.`,
    );
  const task = await insertVisible(store);
  expect(await store.find('ann', task.id)).toEqual(task);
  await store.close();
  await expect(open(dataDir)).resolves.toBeDefined();
});

it('a data directory and its files are private, even if they were not before', async () => {
  const dataDir = join(await quickDir(), 'data');
  await (await open(dataDir)).close();
  chmodSync(dataDir, 0o755);
  chmodSync(join(dataDir, 'kineograph.db'), 0o644);
  await open(dataDir);
  // The lock and the database, its log and its shared memory.
  expect(readdirSync(dataDir).map((name) => modeOf(join(dataDir, name)))).toEqual([
    0o600, 0o600, 0o600, 0o600,
  ]);
  expect(modeOf(dataDir)).toBe(0o700);
});

it('a data directory with other files stays accessible, but not the store in it', async () => {
  const dataDir = await quickDir();
  writeFileSync(join(dataDir, 'notes.txt'), '');
  chmodSync(dataDir, 0o755);
  await open(dataDir);
  expect([modeOf(dataDir), modeOf(join(dataDir, 'kineograph.db'))]).toEqual([0o755, 0o600]);
});

it.each([
  ['garbage', () => Buffer.from(GARBAGE)],
  ['cut in half', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
])(
  'a database that is %s is refused with advice, stays unchanged, and is not left locked',
  async (_, damage) => {
    const dataDir = await quickDir();
    const path = join(dataDir, 'kineograph.db');
    await (await open(dataDir)).close();
    const damaged = damage(readFileSync(path));
    writeFileSync(path, damaged);
    for (let time = 0; time < 2; time += 1)
      await expect(open(dataDir)).rejects.toThrow(
        new RegExp(
          `^${path} is damaged, or no SQLite database \\(.+\\). Restore a backup of it. To begin with an empty`,
        ),
      );
    expect(readFileSync(path)).toEqual(damaged);
  },
);

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

it.each(['file', join('file', 'below')])('a data directory at %s is refused with advice', async (path) => {
  const dir = await quickDir();
  writeFileSync(join(dir, 'file'), '');
  const dataDir = join(dir, path);
  await expect(open(dataDir)).rejects.toThrow(
    new RegExp(
      `^DATA_DIR ${dataDir} cannot be written to \\(.+\\). Make it a directory that this user may write to, or choose another.$`,
    ),
  );
  expect(existsSync(join(dataDir, 'kineograph.db'))).toBe(false);
});

it.each(['kineograph.db', 'kineograph.db-wal', 'kineograph.db-shm'])(
  'nothing is written once %s was deleted, reads go on, and the error says what to do',
  async (name) => {
    const dataDir = await quickDir();
    const store = await openStore(dataDir);
    const task = await insertVisible(store);
    rmSync(join(dataDir, name));
    for (const write of [() => insertVisible(store), () => store.ping()])
      await expect(write()).rejects.toThrow(
        expect.objectContaining({
          name: 'StoreUnavailableError',
          message: `the store is unavailable: ${join(dataDir, name)} was deleted, moved or replaced, so nothing can be stored. Stop the gateway, put the file back or keep the new one, and start again.`,
        }),
      );
    expect(await store.find('ann', task.id)).toEqual(task);
  },
);

it('a data directory that was moved away is written to only after it was put back, and is complete after a close', async () => {
  const dataDir = await quickDir();
  const store = await openStore(dataDir);
  const before = await insertVisible(store);
  renameSync(dataDir, `${dataDir}-moved`);
  await expect(insertVisible(store)).rejects.toThrow(StoreUnavailableError);
  renameSync(`${dataDir}-moved`, dataDir);
  const after = await insertVisible(store);
  renameSync(dataDir, `${dataDir}-moved`);
  await store.close();
  renameSync(`${dataDir}-moved`, dataDir);
  const next = await openStore(dataDir);
  for (const task of [before, after]) expect(await next.find('ann', task.id)).toEqual(task);
  expect(await next.page('ann', { limit: 9, below: null, states: [] })).toHaveLength(2);
});

it.each([
  ['alone', ['kineograph.db']],
  ['with its log', ['kineograph.db', 'kineograph.db-wal', 'kineograph.db-shm']],
])('a database that replaced the open one, %s, loses nothing when that is closed', async (_, names) => {
  const other = await quickDir();
  const otherStore = await openStore(other);
  const { id } = await insertVisible(otherStore);
  if (names.length === 1) await otherStore.close();
  const dataDir = await quickDir();
  const store = await openStore(dataDir);
  await insertVisible(store);
  for (const name of names) {
    rmSync(join(dataDir, name));
    copyFileSync(join(other, name), join(dataDir, name));
  }
  await expect(insertVisible(store)).rejects.toThrow(StoreUnavailableError);
  await store.close();
  const page = await (await openStore(dataDir)).page('ann', { limit: 9, below: null, states: [] });
  expect(page.map((task) => task.id)).toEqual([id]);
});
