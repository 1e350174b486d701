import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { CREATE, input } from '../kit/documents.ts';
import { graphql } from '../kit/graphql.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { emptyDatabase, queryDatabase } from '../kit/store.ts';
import { runBuilt, startBuilt } from '../kit/process.ts';
import { canary, namesFound } from './canaries.ts';
import { createTask } from './client.ts';

/** A user who owns a database. Returns its address with the password, and without. */
async function userWith(password: string) {
  const server = inject('postgresUrl');
  const user = `canary_${randomUUID().replaceAll('-', '')}`;
  const run = (statement: string) => queryDatabase(server, statement);
  await run(`create role ${user} login password '${password}'`);
  onTestEnd(async () => {
    await run(`drop role ${user}`);
  });
  const url = new URL(await emptyDatabase());
  const database = url.pathname.slice(1);
  await run(`alter database ${database} owner to ${user}`);
  url.username = user;
  url.password = encodeURIComponent(password);
  return {
    url: url.href,
    name: `${user}@${url.host}/${database}`,
    lockOut: () => run(`alter role ${user} nologin`),
    breakConnections: () =>
      run(`select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = '${user}'`),
  };
}

test('the password of the database is never written out or told, whatever happens to its connections', async () => {
  const password = canary('database');
  const user = await userWith(password);
  const gateway = await startBuilt({
    DATABASE_URL: user.url,
    DATA_DIR: await temporaryDir(),
    LOG_LEVEL: 'trace',
  });
  const answers: unknown[] = [await createTask(gateway.graphqlUrl)];
  await user.breakConnections();
  answers.push(await createTask(gateway.graphqlUrl));
  await user.lockOut();
  await user.breakConnections();
  answers.push((await graphql(gateway.graphqlUrl, CREATE, { input: input() })).body);
  await gateway.logged('a GraphQL operation failed unexpectedly');
  // By whoever makes a connection next: the operation may have failed by one that broke.
  await gateway.line((line) => line.includes('is not permitted to log in'));
  for (const path of ['/ready', '/health']) answers.push(await (await fetch(gateway.url + path)).text());
  gateway.signal('SIGTERM');
  await gateway.exited;

  expect(JSON.stringify(answers)).toContain('SERVICE_UNAVAILABLE');
  const texts = { answers: JSON.stringify(answers), stderr: gateway.stderr(), stdout: gateway.stdout() };
  for (const [where, text] of Object.entries(texts))
    expect(namesFound(text, { password }), where).toEqual([]);
});

test('a database that lets nobody in is told by its name and without the password, by every command', async () => {
  const password = canary('database');
  const user = await userWith(password);
  await user.lockOut();
  const DATA_DIR = await temporaryDir();
  expect((await runBuilt(['migrate'], { DATA_DIR })).code).toBe(0);
  const runs = [
    runBuilt(['serve'], { DATABASE_URL: user.url, DATA_DIR: await temporaryDir(), PORT: '0' }),
    runBuilt(['migrate'], { DATABASE_URL: user.url }),
    runBuilt(['migrate', '--dry-run'], { DATABASE_URL: user.url }),
    runBuilt(['copy', '--from', DATA_DIR, '--to', user.url]),
  ];
  for (const { code, stderr, stdout } of await Promise.all(runs)) {
    expect(code).toBe(1);
    expect(stderr).toContain(`The database ${user.name} cannot be used (`);
    expect(namesFound(stderr + stdout, { password })).toEqual([]);
  }
});

test('a password with a percent sign in it is one like any other', async () => {
  const url = new URL(await emptyDatabase());
  url.password = '100%';
  const { code, stderr } = await runBuilt([], { DATABASE_URL: url.href, DATA_DIR: await temporaryDir() });
  expect(code).toBe(1);
  expect(stderr).toContain('cannot be used (');
  expect(stderr).not.toContain('100%');
});
