import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/cli/doctor/findings.ts';
import { type ApiTask, TASK, TASKS_UPDATED } from '../kit/documents.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, notVisibleYet } from '../kit/kie.ts';
import { runBuilt, startBuilt, startBuiltSandbox } from '../kit/process.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { emptyDatabase, inSqlite, openSqliteStore, queryDatabase } from '../kit/store.ts';
import { onTestEnd } from '../kit/waits.ts';
import { callBack, createTask, servedBy } from './client.ts';

describe('what cannot be had is told with a way out, and the command exits 1', () => {
  test('a port in use, for the gateway and for the sandbox', async () => {
    const { port } = new URL((await startBuiltSandbox()).url);
    const [gateway, sandbox] = await Promise.all([
      runBuilt([], { PORT: port, DATA_DIR: await temporaryDir() }),
      runBuilt(['sandbox', '--port', port]),
    ]);
    const inUse = `kineograph: port ${port} on 127.0.0.1 is in use. Stop what listens there, or choose another:`;
    expect([gateway.code, gateway.stderr]).toEqual([
      1,
      `${inUse} PORT=${Number(port) + 1}, or PORT=0 for any.\n`,
    ]);
    expect([sandbox.code, sandbox.stderr]).toEqual([1, expect.stringContaining('--port 0')]);
    expect(sandbox.stderr).toContain(inUse);
  });

  test('a Node.js that is too old, which is said before anything else', async () => {
    const pretend = join(await temporaryDir(), 'pretend.cjs');
    const versions = "{ ...process.versions, node: '20.18.3' }";
    await writeFile(pretend, `Object.defineProperty(process, 'versions', { value: ${versions} });`);
    const { code, stderr, stdout } = await runBuilt(['--help'], { NODE_OPTIONS: `--require ${pretend}` });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^kineograph: needs Node\.js 20\.19 or newer, and this is 20\.18\.3\./);
  });

  test('a data directory that cannot be made or written to', async () => {
    const dir = await temporaryDir();
    const [file, link] = [join(dir, 'file'), join(dir, 'link')];
    await writeFile(file, '');
    await symlink(join(dir, 'nowhere'), link);
    // None of these lets even root in. Node's own recursive mkdir never returns from the first.
    for (const DATA_DIR of ['/proc/data', '/dev/null', join(file, 'data'), link]) {
      const { code, stderr } = await runBuilt([], { PORT: '0', DATA_DIR });
      expect([code, stderr]).toEqual([1, expect.stringContaining(`kineograph: DATA_DIR ${DATA_DIR} cannot`)]);
      expect(stderr).toMatch(/ cannot be written to \(E[A-Z]+: .*choose another\.\n$/);
    }
  });

  test('a data directory that another process has, also after that one was refused it a second time', async () => {
    const DATA_DIR = await temporaryDir();
    const store = await openSqliteStore(DATA_DIR);
    onTestEnd(() => store.close());
    await expect(openSqliteStore(DATA_DIR)).rejects.toThrow('in use');
    const { code, stderr } = await runBuilt([], { PORT: '0', DATA_DIR });
    expect(code).toBe(1);
    expect(stderr).toContain(`DATA_DIR ${DATA_DIR} is in use by another Kineograph process. Stop that one`);
  });
});

const NEWER = "insert into kineograph_migration (name, timestamp) values ('9999-tomorrow', '2030-01-01')";

test.each(['SQLite', 'PostgreSQL'])(
  'migrations that a store in %s lacks, and those of a newer program, are refused with exit 78 and the way out',
  async (kind) => {
    const isSqlite = kind === 'SQLite';
    const [DATA_DIR, DATABASE_URL] = [await temporaryDir(), await emptyDatabase()];
    const env = { DATA_DIR, MIGRATE: 'false', PORT: '0', ...(!isSqlite && { DATABASE_URL }) };
    const lacking = await runBuilt([], env);
    expect([lacking.code, lacking.stdout]).toEqual([78, '']);
    expect(lacking.stderr).toMatch(
      /^kineograph: The store lacks the migrations 0001-tasks, .*\. Run "kineograph migrate", or start without MIGRATE=false\.\n$/,
    );
    for (const [args, said] of [
      [['migrate', '--dry-run'], 'Pending migrations:\n  0001-tasks\n'],
      [['migrate'], 'Applied migrations:\n  0001-tasks\n'],
      [['migrate', '--dry-run'], 'nothing to do'],
    ] as const) {
      const { code, stdout } = await runBuilt(args, env);
      expect([code, stdout]).toEqual([0, expect.stringContaining(said)]);
    }

    if (isSqlite) {
      inSqlite(DATA_DIR, (database) => {
        database.exec(NEWER);
      });
    } else {
      await runBuilt(['migrate'], { DATA_DIR });
      await queryDatabase(DATABASE_URL, NEWER);
    }
    for (const args of [['serve'], ['migrate'], ['copy', '--from', DATA_DIR, '--to', DATABASE_URL]]) {
      const { code, stderr, stdout } = await runBuilt(args, { ...env, MIGRATE: 'true' });
      expect([args[0], code, stdout]).toEqual([args[0], 78, '']);
      expect(stderr).toMatch(
        /^kineograph: The schema of the store is newer \(9999-tomorrow\).*Start the newer/,
      );
    }
  },
);

test('doctor examines the built gateway while it runs, and prints JSON and nothing else', async () => {
  const DATA_DIR = await temporaryDir();
  const { url } = await startBuilt({ DATA_DIR });
  const env = { DATA_DIR, PORT: new URL(url).port, PUBLIC_URL: url };
  const { code, stderr, stdout } = await runBuilt(['doctor', '--json'], env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
  // How full the disk is, is not ours to say.
  const others = findings.filter(({ check }) => check !== 'disk');
  expect(others.map(({ check, status }) => `${check}: ${status}`)).toEqual([
    'configuration: ok',
    'store: ok',
    'archive: ok',
    'provider: skipped',
    'clock: skipped',
    'access: ok',
    'public address: ok',
    'WebSocket: ok',
    'signatures: skipped',
  ]);
  const wrong = await runBuilt(['doctor'], { ...env, PORT: 'x' });
  expect([wrong.code, wrong.stderr]).toEqual([78, '']);
  expect(wrong.stdout).toMatch(/^failure {2}configuration {3}There is 1 mistake/);
});

test('a gateway that is moved to PostgreSQL with tasks under way goes on there: revisions, keys and callback addresses hold', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());
  provider.answer('createTask', created('kie-1'), created('kie-2'));
  const [DATA_DIR, DATABASE_URL] = [await temporaryDir(), await emptyDatabase()];
  const env = { ...servedBy(provider), DATA_DIR };

  const before = await startBuilt(env);
  const first = await createTask(before.graphqlUrl, { prompt: 'finished', idempotencyKey: 'one' });
  const firstCall = await provider.received('createTask');
  expect((await callBack(before.url, firstCall, 'kie-1')).status).toBe(200);
  const second = await createTask(before.graphqlUrl, { prompt: 'under way', idempotencyKey: 'two' });
  const secondCall = await provider.received('createTask');
  const seen = await changesAfter(before.graphqlUrl, 0, 2);
  const last = seen.at(-1)?.revision ?? 0;
  expect(seen.map(({ id, state }) => [id, state])).toEqual([
    [first.id, 'SUCCESS'],
    [second.id, 'WAITING'],
  ]);

  const copy = ['copy', '--from', DATA_DIR, '--to', DATABASE_URL];
  expect((await before.end('SIGTERM')).code).toBe(0);
  const copied = await runBuilt(copy);
  expect([copied.code, copied.stderr]).toEqual([0, '']);
  expect(copied.stdout).toContain(`Copied 2 tasks up to revision ${last} from ${DATA_DIR}`);
  // Without them PostgreSQL would read whole tables.
  const statistics = "select from pg_stats where tablename in ('tasks', 'tasks_listed')";
  expect(await queryDatabase(DATABASE_URL, statistics)).not.toEqual([]);

  const after = await startBuilt({ ...env, DATABASE_URL });
  const coming = changesAfter(after.graphqlUrl, last, 1);
  expect((await callBack(after.url, secondCall, 'kie-2')).status).toBe(200);
  const [news] = await coming;
  expect(news).toMatchObject({ id: second.id, state: 'SUCCESS', providerTaskId: 'kie-2' });
  expect(news?.revision).toBeGreaterThan(last);
  const { body } = await graphql(after.graphqlUrl, TASK, { id: first.id });
  expect(dataOf(body).task).toEqual(seen[0]);
  const again = await createTask(after.graphqlUrl, { prompt: 'under way', idempotencyKey: 'two' });
  expect(again).toEqual(news);
  expect(provider.requests('createTask')).toHaveLength(2);
});

/** The changes after a revision, as many as are asked for. */
async function changesAfter(graphqlUrl: string, after: number, count: number): Promise<readonly ApiTask[]> {
  const socket = await openGraphqlWs(graphqlUrl);
  const changes = socket.subscribe({ query: TASKS_UPDATED, variables: { after } });
  const seen: ApiTask[] = [];
  while (seen.length < count) seen.push((await changes.data()).tasksUpdated);
  await socket.close();
  return seen;
}
