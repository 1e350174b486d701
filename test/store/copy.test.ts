import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCopy } from '../../src/cli/copy.ts';
import { migrateStore, openConnections, type StoreLocation } from '../../src/store/open-connections.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { quickDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { openTaskStore, emptyDatabase, queryDatabase } from '../kit/store.ts';
import { FAILURE, NOW, PROCESS, amended, insertHidden, insertVisible, upload } from './records.ts';

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
async function fill(dataDir: string, more?: (store: TaskStore) => Promise<unknown>) {
  const store = await openTaskStore({ kind: 'sqlite', dataDir });
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

const TABLES = ['tasks', 'slots', 'counters', 'secrets', 'uploads'] as const;

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
  const kept = fields.filter(([name]) => name !== 'check_lease_until').sort();
  return JSON.stringify(kept.map(([name, value]) => [name, value === null ? null : String(value)]));
}

async function copy(from: string, to: string): Promise<string> {
  const stdout = new PassThrough();
  await runCopy(from, to, stdout);
  stdout.end();
  return text(stdout);
}

function at(url: string): StoreLocation {
  return { kind: 'postgres', url, readers: 1 };
}

describe('a copy of a data directory in PostgreSQL', () => {
  it('a copy contains tasks of every kind, rate slots, secrets and the revision', async () => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    const content = await fill(dataDir, async (store) => {
      const turns = { now: () => NOW, limit: 2, processId: PROCESS, windowMs: 10_000, checkAfterMs: 90_000 };
      await store.claimSubmissions({ ...turns, attempt: 'one' });
      await store.claimDue({ now: () => NOW + 5000, leaseMs: 30_000, limitPerSecond: 10 });
      const [task] = await store.page('ann', { limit: 1, below: null, states: ['SUBMITTING'] });
      if (task) await amended(store, task);
    });
    expect(content['slots']).toHaveLength(3);
    const said = await copy(dataDir, url);
    const { host, pathname } = new URL(url);
    expect(said).toBe(
      `Copied 13 tasks up to revision 11 from ${dataDir} to kineograph@${host}${pathname}, and verified the copy.\n` +
        'Start the gateway with DATABASE_URL from now on.\n',
    );
    expect(await contentOf(at(url))).toEqual(content);
    expect(await contentOf({ kind: 'sqlite', dataDir })).toEqual(content);
  });

  it('a copy may span several pages of tasks', async () => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    const content = await fill(dataDir, (store) =>
      Promise.all(Array.from({ length: 1100 }, (_, index) => insertHidden(store, { id: `many-${index}` }))),
    );
    expect(await copy(dataDir, url)).toMatch(/^Copied 1113 tasks /);
    expect(await contentOf(at(url))).toEqual(content);
  });

  it('a copy rounds the fractional times of earlier versions', async () => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    await fill(dataDir, (store) => insertHidden(store, { id: 'old', submitAt: NOW + 0.75 }));
    await copy(dataDir, url);
    const store = await openTaskStore(at(url));
    onTestEnd(() => store.close());
    expect((await store.get('old'))?.submitAt).toBe(NOW + 1);
  });

  it('a copy continues with the next revision and the same tasks', async () => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    await fill(dataDir);
    await copy(dataDir, url);
    const store = await openTaskStore(at(url));
    onTestEnd(() => store.close());
    expect((await store.find('ann', 'kie-4'))?.videos).toEqual(VIDEOS);
    expect((await insertVisible(store)).revision).toBe(KINDS.length + 1);
  });
});

describe('a copy is refused', () => {
  it('a copy into a database with tasks is refused and changes nothing', async () => {
    const [dataDir, other, url] = [await quickDir(), await quickDir(), await emptyDatabase()];
    await fill(other);
    await copy(other, url);
    const before = await contentOf(at(url));
    await fill(dataDir, (store) => insertHidden(store, { id: 'new' }));
    await expect(copy(dataDir, url)).rejects.toThrow(
      'The target database already has tasks. Use an empty one.',
    );
    expect(await contentOf(at(url))).toEqual(before);
  });

  it('a copy of a data directory in use is refused', async () => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    const store = await openTaskStore({ kind: 'sqlite', dataDir });
    onTestEnd(() => store.close());
    await expect(copy(dataDir, url)).rejects.toThrow(
      `DATA_DIR ${dataDir} is in use by another Kineograph process.`,
    );
    expect(
      await queryDatabase(url, "select from information_schema.tables where table_schema = 'public'"),
    ).toEqual([]);
  });

  it('a copy of a directory without a store is refused and creates none', async () => {
    const [dataDir, url] = [join(await quickDir(), 'misspelt'), await emptyDatabase()];
    for (let time = 0; time < 2; time += 1)
      await expect(copy(dataDir, url)).rejects.toThrow(`There is no store in ${dataDir}.`);
  });

  it('a copy into an unreachable database fails without showing its password', async () => {
    const dataDir = await quickDir();
    await fill(dataDir);
    const failed = await copy(dataDir, 'postgres://me:hush@127.0.0.1:1/db').catch(String);
    expect(failed).toContain('The database me@127.0.0.1:1/db cannot be used');
    expect(failed).not.toContain('hush');
  });

  it.each([
    ['tasks', "new.prompt := new.prompt || ' '"],
    ['slots', 'new.taken_at := new.taken_at + 1'],
    ['secrets', 'new.value := lower(new.value)'],
  ])('a copy whose %s differ is rolled back', async (table, change) => {
    const [dataDir, url] = [await quickDir(), await emptyDatabase()];
    await fill(dataDir, (store) => store.claimDue({ now: () => NOW + 5000, leaseMs: 1, limitPerSecond: 10 }));
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
