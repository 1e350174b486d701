import { randomUUID } from 'node:crypto';
import { copyFileSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { runBackup } from '../../src/cli/backup.ts';
import { runMigrate } from '../../src/cli/migrate.ts';
import { quickDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { openSqliteStore } from '../kit/store.ts';
import { insertVisible } from './records.ts';

async function open(dataDir: string) {
  const store = await openSqliteStore(dataDir);
  onTestEnd(() => store.close());
  return store;
}

/** What `backup` prints. */
async function backUp(file: string, env: Readonly<Record<string, string>>): Promise<string> {
  const stdout = new PassThrough();
  await runBackup(file, env, stdout);
  stdout.end();
  return text(stdout);
}

it('a backup of a running gateway contains every task acknowledged before it', async () => {
  const [DATA_DIR, home, restored] = [await quickDir(), await quickDir(), await quickDir()];
  const store = await open(DATA_DIR);
  const task = await insertVisible(store);
  let last = task;
  let isOver = false;
  const goOn = async (): Promise<void> => {
    while (!isOver) last = await insertVisible(store);
  };
  const writing = goOn();
  const file = join(home, "it's a backup.db");
  expect(await backUp(file, { DATA_DIR })).toMatch(
    /^Backed up \d+ tasks? from .+, and verified the copy\.\n/,
  );
  isOver = true;
  await writing;
  expect(await store.find('ann', last.id)).toEqual(last);
  expect(readdirSync(home)).toEqual(["it's a backup.db"]);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  copyFileSync(file, join(restored, 'kineograph.db'));
  expect(await (await open(restored)).find('ann', task.id)).toEqual(task);
});

it('a backup of an unused store leaves the data directory unchanged', async () => {
  const DATA_DIR = await quickDir();
  await (await open(DATA_DIR)).close();
  const before = readFileSync(join(DATA_DIR, 'kineograph.db'));
  await backUp(join(await quickDir(), 'copy.db'), { DATA_DIR });
  expect(readdirSync(DATA_DIR).sort()).toEqual(['kineograph.db', 'kineograph.lock']);
  expect(readFileSync(join(DATA_DIR, 'kineograph.db'))).toEqual(before);
});

it('a backup never overwrites a file', async () => {
  const DATA_DIR = await quickDir();
  await open(DATA_DIR);
  const file = join(await quickDir(), 'copy.db');
  writeFileSync(file, 'mine');
  await expect(backUp(file, { DATA_DIR })).rejects.toThrow(`${file} exists already. Choose another name.`);
  expect(readFileSync(file, 'utf8')).toBe('mine');
});

it('a failed backup leaves no file and says why', async () => {
  const [DATA_DIR, home] = [await quickDir(), await quickDir()];
  await (await open(DATA_DIR)).close();
  const path = join(DATA_DIR, 'kineograph.db');
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length / 2));
  await expect(backUp(join(home, 'copy.db'), { DATA_DIR })).rejects.toThrow('malformed');
  expect(readdirSync(home)).toEqual([]);
});

it('a backup of a missing data directory creates none', async () => {
  const DATA_DIR = join(await quickDir(), randomUUID());
  await expect(backUp('copy.db', { DATA_DIR })).rejects.toThrow(`There is no store in DATA_DIR ${DATA_DIR}`);
});

it('a backup of PostgreSQL is left to pg_dump', async () => {
  const env = { DATABASE_URL: 'postgres://me:hush@db.example/tasks' };
  const refused = expect(backUp('copy.db', env)).rejects;
  await refused.toThrow('Use pg_dump for that');
});

it('a dry run of the migrations may be made beside a running gateway', async () => {
  const DATA_DIR = await quickDir();
  await open(DATA_DIR);
  const stdout = new PassThrough();
  await runMigrate(true, { DATA_DIR }, stdout);
  stdout.end();
  expect(await text(stdout)).toMatch(/nothing to do/);
});
