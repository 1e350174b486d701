import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { emptyDatabase, queryDatabase } from '../kit/store.ts';
import { runBuilt } from '../kit/process.ts';

const NEWER = "insert into kineograph_migration (name, timestamp) values ('9999-tomorrow', '2030-01-01')";

const STORES = [
  {
    name: 'SQLite',
    async open() {
      const DATA_DIR = await temporaryDir();
      const run = (statement: string): Promise<unknown> => {
        const database = new DatabaseSync(join(DATA_DIR, 'kineograph.db'));
        database.exec(statement);
        database.close();
        return Promise.resolve();
      };
      return { env: { DATA_DIR }, run, copy: ['--from', DATA_DIR, '--to', await emptyDatabase()] };
    },
  },
  {
    name: 'PostgreSQL',
    async open() {
      const [DATA_DIR, DATABASE_URL] = [await temporaryDir(), await emptyDatabase()];
      await runBuilt(['migrate'], { DATA_DIR });
      const run = (statement: string): Promise<unknown> => queryDatabase(DATABASE_URL, statement);
      return { env: { DATA_DIR, DATABASE_URL }, run, copy: ['--from', DATA_DIR, '--to', DATABASE_URL] };
    },
  },
];

describe.each(STORES)('a store in $name', ({ open }) => {
  test('that lacks migrations is refused where MIGRATE=false: exit 78, and the way out works', async () => {
    const { env } = await open();
    const refused = await runBuilt([], { ...env, MIGRATE: 'false', PORT: '0' });
    expect([refused.code, refused.stdout]).toEqual([78, '']);
    expect(refused.stderr).toMatch(
      /^kineograph: The store lacks the migrations 0001-tasks, .*\. Run "kineograph migrate", or start without MIGRATE=false\.\n$/,
    );
    const dryRun = await runBuilt(['migrate', '--dry-run'], { ...env, MIGRATE: 'false' });
    expect([dryRun.code, dryRun.stdout]).toEqual([
      0,
      expect.stringContaining('Pending migrations:\n  0001-tasks\n'),
    ]);
    const done = await runBuilt(['migrate'], { ...env, MIGRATE: 'false' });
    expect([done.code, done.stdout]).toEqual([
      0,
      expect.stringContaining('Applied migrations:\n  0001-tasks\n'),
    ]);
    const again = await runBuilt(['migrate', '--dry-run'], env);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('nothing to do')]);
  });

  test('of a newer program is refused by every command: exit 78 and the way out', async () => {
    const { copy, env, run } = await open();
    await runBuilt(['migrate'], env);
    await run(NEWER);
    for (const args of [['serve'], ['migrate'], ['migrate', '--dry-run'], ['copy', ...copy]]) {
      const { code, stderr, stdout } = await runBuilt(args, { ...env, PORT: '0' });
      expect([args[0], code, stdout]).toEqual([args[0], 78, '']);
      expect(stderr).toMatch(
        /^kineograph: The schema of the store is newer \(9999-tomorrow\).*Start the newer/,
      );
    }
  });
});
