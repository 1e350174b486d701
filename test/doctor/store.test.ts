import { readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { migrateStore } from '../../src/store/open-connections.ts';
import { startGateway, quickDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { emptyDatabase, inSqlite, queryDatabase } from '../kit/store.ts';
import { startTransactionPooler } from '../kit/transaction-pooler.ts';
import { examine } from './examine.ts';

const NEWER = "insert into kineograph_migration (name, timestamp) values ('9999-tomorrow', '2030-01-01')";

function filesIn(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory).map((name) => [name, readFileSync(join(directory, name)).toString('base64')]),
  );
}

function change(dataDir: string, statement: string): void {
  inSqlite(dataDir, (database) => {
    database.exec(statement);
  });
}

describe('doctor says of SQLite', () => {
  it('that there is none yet, and makes nothing', async () => {
    const parent = await quickDir();
    const { of, status } = await examine({ DATA_DIR: join(parent, 'deep', 'data') });
    expect(of('store')).toEqual([
      expect.stringMatching(/^ok there is no database in .*data yet; the first start creates it$/),
    ]);
    expect(status).not.toBe('failure');
    expect(readdirSync(parent)).toEqual([]);
  });

  it('whether its schema is up to date, and leaves every file as it is', async () => {
    const DATA_DIR = await quickDir();
    await migrateStore({ kind: 'sqlite', dataDir: DATA_DIR });
    const before = filesIn(DATA_DIR);
    expect((await examine({ DATA_DIR })).of('store')).toEqual([
      `ok SQLite in ${DATA_DIR}, no gateway runs on it; its schema is up to date`,
    ]);
    expect(filesIn(DATA_DIR)).toEqual(before);
    change(DATA_DIR, "delete from kineograph_migration where name = '0005-uploads'");
    expect((await examine({ DATA_DIR })).of('store')[0]).toMatch(
      /^warning .*it lacks the migrations 0005-uploads -> The next start/,
    );
    const kept = await examine({ DATA_DIR, MIGRATE: 'false' });
    expect(kept.of('store')[0]).toMatch(
      /^failure .*it lacks the migrations 0005-uploads, and MIGRATE=false -> Run "kineograph migrate"/,
    );
    expect(kept.status).toBe('failure');
    change(DATA_DIR, NEWER);
    expect((await examine({ DATA_DIR })).of('store')[0]).toMatch(
      /^failure .* -> The schema of the store is newer/,
    );
  });

  it('that a gateway runs on it, and reads on beside that', async () => {
    const { dataDir: DATA_DIR } = await startGateway();
    expect((await examine({ DATA_DIR })).of('store')).toEqual([
      `ok SQLite in ${DATA_DIR}, in use by a running gateway; its schema is up to date`,
    ]);
  });

  it('that it cannot be written to or read, or is cut short', async () => {
    const DATA_DIR = await quickDir();
    await migrateStore({ kind: 'sqlite', dataDir: DATA_DIR });
    const path = join(DATA_DIR, 'kineograph.db');
    truncateSync(path, statSync(path).size / 2);
    const { of, status } = await examine({ DATA_DIR });
    expect([status, ...of('store')]).toEqual([
      'failure',
      expect.stringMatching(/^failure .*it cannot be read \(.* is malformed\) -> .*restore a backup/),
    ]);
    const directory = await quickDir();
    writeFileSync(join(directory, 'file'), '');
    expect((await examine({ DATA_DIR: join(directory, 'file', 'data') })).of('store')[0]).toMatch(
      /^failure DATA_DIR .* cannot be written to \(ENOTDIR/,
    );
    expect((await examine({ DATA_DIR: join(directory, 'file') })).of('store')[0]).toMatch(
      /\(it is not a directory\)/,
    );
    writeFileSync(join(directory, 'kineograph.db'), 'no database at all, but some text of some length');
    expect((await examine({ DATA_DIR: directory })).of('store')[0]).toMatch(
      /^failure .*it cannot be read \(file is not a database\)/,
    );
  });
});

describe('doctor says of PostgreSQL', () => {
  it('its version, schema, distance and clock, and makes no tables', async () => {
    const [DATA_DIR, DATABASE_URL] = [await quickDir(), await emptyDatabase()];
    const empty = await examine({ DATA_DIR, DATABASE_URL });
    expect(empty.of('store')).toEqual([
      expect.stringMatching(
        /^warning PostgreSQL at kineograph@127\.0\.0\.1:\d+\/\w+, version \d+\.\d+; it lacks the migrations 0001-tasks, /,
      ),
      'ok the 12 connections of a gateway are available',
      expect.stringMatching(/^ok a statement takes [\d.]+ ms there and back$/),
      expect.stringMatching(/^ok the clock of the database is \d+ ms (behind|ahead of) ours$/),
    ]);
    const tables = "select 1 from information_schema.tables where table_schema = 'public'";
    expect(await queryDatabase(DATABASE_URL, tables)).toEqual([]);
    await migrateStore({ kind: 'postgres', url: DATABASE_URL, readers: 1 });
    expect((await examine({ DATA_DIR, DATABASE_URL })).of('store')[0]).toMatch(
      /^ok .*; its schema is up to date$/,
    );
    await queryDatabase(DATABASE_URL, NEWER);
    expect((await examine({ DATA_DIR, DATABASE_URL })).of('store')[0]).toMatch(
      /^failure .* -> The schema of the store is newer/,
    );
  });

  it('what a gateway could not do there, and takes back what it tried', async () => {
    const [DATA_DIR, url] = [await quickDir(), await emptyDatabase()];
    const role = new URL(url).pathname.slice(1);
    const DATABASE_URL = Object.assign(new URL(url), { username: role, password: 'hush' }).href;
    const lookAt = async (): Promise<readonly string[]> =>
      (await examine({ DATA_DIR, DATABASE_URL })).of('store');
    onTestEnd(async () => {
      await queryDatabase(url, `drop owned by ${role}; drop role ${role}`);
    });
    await queryDatabase(
      url,
      `create role ${role} login password 'hush'; revoke create on schema public from public`,
    );
    expect(await lookAt()).toContainEqual(
      expect.stringMatching(/^failure the store cannot be migrated: permission denied .*-> .*GRANT CREATE/),
    );

    await migrateStore({ kind: 'postgres', url, readers: 1 });
    await queryDatabase(
      url,
      `grant select, insert, update, delete on all tables in schema public to ${role}`,
    );
    expect(await lookAt()).toContainEqual(
      expect.stringMatching(
        /^failure a gateway could not write: permission denied for sequence .* -> .*sequences/,
      ),
    );
    await queryDatabase(url, `grant usage on all sequences in schema public to ${role}`);
    expect(await lookAt()).toContain(
      'ok everything that a gateway writes can be written (tried and rolled back)',
    );
    for (const table of ['slots', 'secrets', 'tasks'])
      expect(await queryDatabase(url, `select 1 from ${table}`), table).toEqual([]);

    await queryDatabase(url, `alter role ${role} connection limit 5`);
    expect(await lookAt()).toContainEqual(
      expect.stringMatching(/^failure only [1-5] of the 12 connections .* -> .*DATABASE_CONNECTIONS/),
    );
    await queryDatabase(url, `alter role ${role} set default_transaction_read_only = on`);
    expect(await lookAt()).toContainEqual(
      expect.stringMatching(
        /^failure a gateway could not write: .*read-only transaction .* -> It is read-only/,
      ),
    );
  });

  it('that a pooler keeps no session, unless another address leads around it', async () => {
    const [DATA_DIR, direct] = [await quickDir(), await emptyDatabase()];
    const env = { DATA_DIR, DATABASE_URL: await startTransactionPooler(direct) };
    const said = expect.stringMatching(
      /^failure a pooler stands in front .* -> .*DATABASE_LISTEN_URL/,
    ) as string;
    expect((await examine(env)).of('store')).toContainEqual(said);
    expect((await examine({ ...env, DATABASE_LISTEN_URL: direct })).of('store')).not.toContainEqual(said);
  });

  it('why it cannot be used', async () => {
    const DATA_DIR = await quickDir();
    const away = await examine({ DATA_DIR, DATABASE_URL: 'postgres://me:hush@127.0.0.1:1/db' });
    expect(away.of('store')[0]).toMatch(
      /^failure PostgreSQL at me@127\.0\.0\.1:1\/db cannot be used: nothing listens there/,
    );
    expect(away.printed).not.toContain('hush');
  });
});
