import { copyFileSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { runBackup } from '../../src/cli/backup.ts';
import { runCopy } from '../../src/cli/copy.ts';
import { runMigrate } from '../../src/cli/migrate.ts';
import { migrateStore, openConnections, type StoreLocation } from '../../src/store/open-connections.ts';
import type { ArchiveStore } from '../../src/archive/archive-store.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { quickDir } from '../kit/gateway.ts';
import { emptyDatabase, openSqliteStore, openTaskStore, queryDatabase } from '../kit/store.ts';
import { onTestEnd } from '../kit/waits.ts';
import { insertCopied } from './copy-records.ts';
import {
  FAILURE,
  NOW,
  amended,
  claimDue,
  claimSubmissions,
  insertHidden,
  insertVisible,
  upload,
} from './records.ts';

const UNICODE = 'Grüße, 雪 🎬 e\u0301 \u202eright to left\u202c "quotes" \'and\' \\ %_ \t\r\n\u{10ffff}';
const VIDEOS = [{ url: 'https://files.example/video.mp4', width: 1080, height: 1920 }] as never;

/** Tasks in every state and of every kind that a store may hold. */
const KINDS: readonly Partial<TaskRecord>[] = [
  {},
  { prompt: UNICODE, owner: UNICODE, idempotencyKey: UNICODE },
  { id: 'Z', endImageUrl: 'https://files.example/last.png', promptOptimizer: true },
  { id: 'a', promptOptimizer: false, markedAt: NOW, nextCheckAt: NOW + 90_000 },
  { id: 'ä', unknownSince: NOW, unverifiedProviderTaskId: 'kie-0' },
  {
    notNowCount: 3,
    notNowSince: NOW - 5,
    submitAt: NOW + 60_000,
    submitLeaseBy: null,
    submitLeaseUntil: null,
  },
  { state: 'WAITING', providerTaskId: 'kie-1', nextCheckAt: NOW + 5000 },
  { state: 'QUEUING', providerTaskId: 'kie-2', creditsConsumed: 0 },
  { state: 'GENERATING', providerTaskId: 'kie-3', creditsConsumed: 12.5 },
  { state: 'SUCCESS', providerTaskId: 'kie-4', videos: VIDEOS, completedAt: NOW + 1, creditsConsumed: 0.1 },
  { state: 'FAIL', failure: { ...FAILURE, message: UNICODE }, completedAt: NOW + 2 },
];

/** Fills a store in a directory and closes it; the answer is what it holds. */
async function fill(dataDir: string, more?: (store: ArchiveStore & TaskStore) => Promise<unknown>) {
  const store = await openSqliteStore(dataDir);
  for (const fields of KINDS) await insertVisible(store, fields);
  for (const fields of [{ refusal: FAILURE }, { idempotencyKey: 'hidden' }])
    await insertHidden(store, fields);
  await store.secret('callback');
  await store.secret('another');
  for (const owner of ['b', 'B', 'ä', UNICODE])
    await store.saveUpload(owner, upload({ url: `https://files.example/${owner}` }));
  await more?.(store);
  await store.close();
  return contentOf({ kind: 'sqlite', dataDir });
}

const TABLES = ['tasks', 'slots', 'counters', 'secrets', 'uploads', 'video_copies'] as const;

/** All that a store holds, as texts: what is a number to one database is a text to the other. */
async function contentOf(location: StoreLocation): Promise<Record<string, readonly string[]>> {
  const { close, reader } = await openConnections(location, { mayMigrate: false, onError: () => undefined });
  const content: Record<string, readonly string[]> = {};
  for (const table of TABLES) {
    const rows = await reader.selectFrom(table).selectAll().execute();
    content[table] = rows
      // What a store says of itself.
      .filter((row) => !('name' in row && ['history', 'written_at'].includes(row.name)))
      .map(lineOf)
      .sort();
  }
  await close();
  return content;
}

function lineOf(row: object): string {
  const fields = Object.entries(row as Record<string, string | number | null>);
  // The start tries a slot and takes it back, which uses up a number of PostgreSQL.
  const isOwn = (name: string) => name === 'check_lease_until' || (name === 'id' && 'taken_at' in row);
  const kept = fields.filter(([name]) => !isOwn(name)).sort();
  return JSON.stringify(kept.map(([name, value]) => [name, value === null ? null : String(value)]));
}

/** What a command prints. */
async function printed(run: (stdout: PassThrough) => Promise<void>): Promise<string> {
  const stdout = new PassThrough();
  await run(stdout);
  stdout.end();
  return text(stdout);
}
const copy = (from: string, to: string) => printed((stdout) => runCopy(from, to, stdout));
const backUp = (file: string, env: Readonly<Record<string, string>>) =>
  printed((stdout) => runBackup(file, env, stdout));

/** More than one page of the copy. */
const COPIES = 503;

/** Stores copies of which two share an object, one is to be deleted, and one belongs to a deleted task. */
async function fillArchive(store: ArchiveStore & TaskStore): Promise<void> {
  const { copy } = await insertCopied(store, { bytes: 5_000_000_000 });
  const { object, sha256 } = copy;
  await insertCopied(store, { object, sha256 });
  await store.dropCopy((await insertCopied(store)).task, 0);
  await Promise.all(Array.from({ length: COPIES - 4 }, () => insertCopied(store, { bytes: 1 })));
  await insertCopied(store, { storedAt: 1 });
  await store.sweepEnded({ endedBefore: 2, limit: 9 });
}

async function expectArchive(store: ArchiveStore & TaskStore): Promise<void> {
  expect(await store.storedBytes()).toBe(5_000_002_000 + COPIES - 4);
  expect((await store.doomedCopies(9)).map(({ isShared }) => isShared)).toEqual([false, false]);
  const [copy] = await store.oldestCopies(NOW + 1, 1);
  expect(copy && (await store.copyOf(copy.taskId, 0))).toEqual(copy);
}

const at = (url: string): StoreLocation => ({ kind: 'postgres', url, readers: 1 });

describe('a copy of a data directory in PostgreSQL', () => {
  it('a copy contains every task, slot, secret and upload, and continues with the next revision', async () => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    const content = await fill(dataDir, async (store) => {
      await claimSubmissions(store, { attempt: 'one' });
      await claimDue(store, NOW + 5000);
      const [task] = await store.page('ann', { limit: 1, below: null, states: ['SUBMITTING'] });
      if (task) await amended(store, task);
      // More than one page of the copy.
      await Promise.all(Array.from({ length: 600 }, (_, n) => insertHidden(store, { id: `many-${n}` })));
    });
    expect(content['slots']).toHaveLength(3);
    const { host, pathname } = new URL(url);
    expect(await copy(dataDir, url)).toBe(
      `Copied 613 tasks up to revision 11 from ${dataDir} to kineograph@${host}${pathname}, and verified the copy.\n` +
        'Start the gateway with DATABASE_URL from now on.\n',
    );
    expect(await contentOf(at(url))).toEqual(content);
    expect(await contentOf({ kind: 'sqlite', dataDir })).toEqual(content);

    const store = await openTaskStore(at(url));
    onTestEnd(() => store.close());
    expect((await store.find('ann', 'kie-4'))?.videos).toEqual(VIDEOS);
    expect((await insertVisible(store)).revision).toBe(KINDS.length + 1);
  });

  it("a copy contains every copy of a video, in more than one page, with the archive's bytes", async () => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    const content = await fill(dataDir, fillArchive);
    expect(content['video_copies']).toHaveLength(COPIES);
    await copy(dataDir, url);
    expect(await contentOf(at(url))).toEqual(content);
    const store = await openTaskStore(at(url));
    onTestEnd(() => store.close());
    await expectArchive(store);
  });

  it('a copy rounds the fractional times of earlier versions, and is refused once there are tasks', async () => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    await fill(dataDir, (store) => insertHidden(store, { id: 'old', submitAt: NOW + 0.75 }));
    await copy(dataDir, url);
    const store = await openTaskStore(at(url));
    onTestEnd(() => store.close());
    expect((await store.get('old'))?.submitAt).toBe(NOW + 1);
    const before = await contentOf(at(url));
    await expect(copy(dataDir, url)).rejects.toThrow(
      'The target database already has tasks. Use an empty one.',
    );
    expect(await contentOf(at(url))).toEqual(before);
  });

  it('a copy of a data directory in use, or of none, is refused and makes nothing', async () => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    const store = await openSqliteStore(dataDir);
    onTestEnd(() => store.close());
    await expect(copy(dataDir, url)).rejects.toThrow(
      `DATA_DIR ${dataDir} is in use by another Kineograph process.`,
    );
    const missing = join(dataDir, 'misspelt');
    for (let time = 0; time < 2; time += 1)
      await expect(copy(missing, url)).rejects.toThrow(`There is no store in ${missing}.`);
    const tables = "select from information_schema.tables where table_schema = 'public'";
    expect(await queryDatabase(url, tables)).toEqual([]);
  });

  it('a copy into an unreachable database fails without showing its password', async () => {
    const dataDir = await quickDir();
    await migrateStore({ kind: 'sqlite', dataDir });
    const failed = await copy(dataDir, 'postgres://me:hush@127.0.0.1:1/db').catch(String);
    expect(failed).toContain('The database me@127.0.0.1:1/db cannot be used');
    expect(failed).not.toContain('hush');
  });

  it.each([
    ['tasks', "new.prompt := new.prompt || ' '"],
    ['slots', 'new.taken_at := new.taken_at + 1'],
    ['secrets', 'new.value := lower(new.value)'],
    ['uploads', 'new.width := new.width + 1'],
    ['video_copies', 'new.is_doomed := 1 - new.is_doomed'],
  ])('a copy whose %s differ is rolled back', async (table, change) => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    await fill(dataDir, async (store) => {
      await claimDue(store, NOW + 5000);
      await insertCopied(store);
    });
    await migrateStore(at(url));
    const before = await contentOf(at(url));
    await queryDatabase(
      url,
      `create function spoil() returns trigger language plpgsql as $$ begin ${change}; return new; end $$;
       create trigger spoil before insert on ${table} for each row execute function spoil();`,
    );
    await expect(copy(dataDir, url)).rejects.toThrow(
      /^The copy differs from its source .* nothing was kept\./,
    );
    expect(await contentOf(at(url))).toEqual(before);
  });
});

describe('a backup of a data directory', () => {
  async function open(dataDir: string): Promise<TaskStore> {
    const store = await openSqliteStore(dataDir);
    onTestEnd(() => store.close());
    return store;
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
    // Neither does a dry run of the migrations disturb the gateway.
    expect(await printed((stdout) => runMigrate(true, { DATA_DIR }, stdout))).toMatch(/nothing to do/);
    // A backup never overwrites a file.
    const whole = readFileSync(file);
    await expect(backUp(file, { DATA_DIR })).rejects.toThrow(`${file} exists already. Choose another name.`);
    expect(readFileSync(file)).toEqual(whole);
  });

  it('a backup contains every copy of a video and the bytes of the archive', async () => {
    const [DATA_DIR, home] = [await quickDir(), await quickDir()];
    const content = await fill(DATA_DIR, fillArchive);
    await backUp(join(home, 'kineograph.db'), { DATA_DIR });
    expect(await contentOf({ kind: 'sqlite', dataDir: home })).toEqual(content);
    const store = await openSqliteStore(home);
    onTestEnd(() => store.close());
    await expectArchive(store);
  });

  it('a backup of an unused store leaves the data directory unchanged; a failed one leaves no file', async () => {
    const [DATA_DIR, home] = [await quickDir(), await quickDir()];
    const path = join(DATA_DIR, 'kineograph.db');
    await (await open(DATA_DIR)).close();
    const whole = readFileSync(path);
    await backUp(join(await quickDir(), 'copy.db'), { DATA_DIR });
    expect(readdirSync(DATA_DIR).sort()).toEqual(['kineograph.db', 'kineograph.lock']);
    expect(readFileSync(path)).toEqual(whole);
    writeFileSync(path, whole.subarray(0, whole.length / 2));
    await expect(backUp(join(home, 'copy.db'), { DATA_DIR })).rejects.toThrow('malformed');
    expect(readdirSync(home)).toEqual([]);
  });

  it('a backup of a missing data directory or of PostgreSQL is refused', async () => {
    const DATA_DIR = join(await quickDir(), 'missing');
    await expect(backUp('copy.db', { DATA_DIR })).rejects.toThrow(
      `There is no store in DATA_DIR ${DATA_DIR}`,
    );
    const DATABASE_URL = 'postgres://me:hush@db.example/tasks';
    await expect(backUp('copy.db', { DATABASE_URL })).rejects.toThrow('Use pg_dump for that');
  });
});
