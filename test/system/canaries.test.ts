import { randomUUID } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { CREATE, TASK, TASKS, input } from '../kit/documents.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import * as kie from '../kit/kie.ts';
import { runBuilt, startBuilt } from '../kit/process.ts';
import { startFakeProvider, type ProviderRequest } from '../kit/provider.ts';
import { emptyDatabase, queryDatabase } from '../kit/store.ts';
import { onTestEnd } from '../kit/waits.ts';
import { blunder, canary, createCanaries, knockWith, namesFound } from './canaries.ts';
import { callbackPath, createTask } from './client.ts';

test('no secret is ever written out, stored or told, whatever happens and whatever the log level', async () => {
  const provider = await startFakeProvider();
  const canaries = await createCanaries();
  const { annsKey, bobsKey, newHmacKey, oldHmacKey, token } = canaries;
  const DATA_DIR = await temporaryDir();
  const gateway = await startBuilt({
    ...environmentOf(canaries),
    KIE_API_URL: provider.url,
    PUBLIC_URL: 'https://gateway.example.test',
    CREATE_WAIT_MS: '1000',
    LOG_LEVEL: 'trace',
    DATA_DIR,
  });
  const answers: unknown[] = [];
  const as = (credential: string) => ({ authorization: `Bearer ${credential}` });
  const ask = async (credential: string, query: string, variables: object) => {
    const { body } = await graphql(gateway.graphqlUrl, query, { ...variables }, as(credential));
    answers.push(body);
  };
  const create = (credential: string) => ask(credential, CREATE, { input: input() });

  // Creates: taken, refused, limited and lost, by a provider that repeats whatever it was sent.
  const paths = (): string[] => provider.requests('createTask').map(callbackPath);
  // Whenever it is asked, which may be before the callbacks come.
  provider.always('recordInfo', ({ headers }) => {
    const [path = ''] = paths();
    const message = `${headers.authorization ?? ''} ${path}`;
    return kie.failed('kie-1', '500', message, { param: kie.param(gateway.url + path) });
  });
  provider.answer(
    'createTask',
    kie.created('kie-1'),
    (request) => kie.refused(401, echo(request)),
    (request) => ({ status: 500, body: echo(request) }),
    kie.created('kie-2'),
    (request) => kie.refused(500, echo(request), { http: 500 }),
  );
  for (const credential of [annsKey, annsKey, bobsKey, token, bobsKey]) await create(credential);
  const callbackPaths = paths();
  const [first = '', , , second = ''] = callbackPaths;

  // Callbacks: without a signature, with each key, to a wrong address, and about a failure that repeats the address.
  const success = kie.callbackSuccess('kie-1', { param: kie.param(gateway.url + first) });
  const failure = kie.callbackFail('kie-2', { failMsg: `could not call ${gateway.url}${second}` });
  for (const [path, body, headers, expected] of [
    [first, success, {}, 401],
    [first.slice(0, -1), success, kie.sign(newHmacKey, 'kie-1'), 401],
    [`${first}/more`, success, kie.sign(newHmacKey, 'kie-1'), 404],
    [second, failure, kie.sign(oldHmacKey, 'kie-2'), 200],
    [`${second}?again`, failure, { ...kie.sign(newHmacKey, 'kie-2'), ...as(canaries.kieKey) }, 200],
  ] as const) {
    const { body: answer, status } = await kie.deliverCallback(gateway.url + path, body, headers);
    expect(status).toBe(expected);
    answers.push(answer);
  }
  const socket = await openGraphqlWs(gateway.graphqlUrl, { connectionParams: as(annsKey) });
  const [, id = ''] = /kie\/([^/]+)/.exec(first) ?? [];
  const query = 'subscription ($id: ID!) { taskUpdated(id: $id) { state failure { message } } }';
  for await (const result of socket.subscribe({ query, variables: { id } })) answers.push(result);
  expect(JSON.stringify(answers)).toContain('FAIL');
  await socket.close();

  // Callers who are wrong, and callers who are careless.
  for (const credential of [canaries.wrongKey, canaries.expiredToken])
    expect(await knockWith(gateway, credential)).toEqual([...Array<number>(8).fill(401), 4403, 4403]);
  for (const secret of Object.values(canaries)) await blunder(gateway, secret);

  // A provider that is away.
  await provider.close();
  await create(annsKey);
  for (const credential of [annsKey, bobsKey, token]) {
    await ask(credential, TASKS, {});
    await ask(credential, TASK, { id });
  }
  expect(await gateway.end('SIGTERM')).toEqual({ code: 0, signal: null });

  const tokens = Object.fromEntries(callbackPaths.map((path, at) => [`callback ${at}`, path.slice(-43)]));
  expect(Object.keys(tokens)).toHaveLength(5);
  const output = gateway.stdout();
  expect(output).toContain(id);
  expect(gateway.stderr()).toBe('');
  for (const text of [output, JSON.stringify(answers), await contentOf(DATA_DIR)])
    expect(namesFound(text, { ...canaries, ...tokens })).toEqual([]);
  const routes = output.split('\n').flatMap((line) => /"route":"([^"]*)"/.exec(line)?.[1] ?? []);
  expect(new Set(routes)).toEqual(new Set(['/graphql', 'none']));
});

test('the report of all mistakes (exit 78) and the help name no secret, whichever variable it is in', async () => {
  const canaries = await createCanaries();
  const { code, stderr, stdout } = await runBuilt([], {
    PORT: 'many',
    KIE_API_KEY: `${canaries.kieKey} with spaces`,
    KIE_WEBHOOK_HMAC_KEYS: `"${canaries.newHmacKey}"`,
    KIE_WEBHOOK_HMAC_KEY: canaries.oldHmacKey,
    API_KEYS: `ann ${canaries.annsKey},${canaries.bobsKey.slice(0, 5)} ${canaries.bobsKey}`,
    JWT_SECRET: `${canaries.jwtSecret} ü`,
    KIE_API_URL: `https://user:${canaries.wrongKey}@kie.example/path`,
    DATABASE_URL: `postgres://user:${canaries.databasePassword}@db.example/tasks`,
    DATA_DIR: await temporaryDir(),
  });
  expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
  expect(stderr).toMatch(/^kineograph: There are \d mistakes in the environment:\n/);
  for (const name of ['PORT', 'KIE_API_KEY', 'KIE_WEBHOOK_HMAC_KEY', 'API_KEYS', 'JWT_SECRET'])
    expect(stderr).toContain(`\n  - ${name}`);
  const help = await runBuilt(['--help'], environmentOf(canaries));
  expect([help.code, help.stderr]).toEqual([0, '']);
  expect(namesFound(stderr + help.stdout, canaries)).toEqual([]);
});

test('the password of the database is never written out or told, whatever happens to its connections', async () => {
  const password = canary('database');
  const user = await userWith(password);
  const DATA_DIR = await temporaryDir();
  const gateway = await startBuilt({ DATABASE_URL: user.url, DATA_DIR, LOG_LEVEL: 'trace' });
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
  await gateway.end('SIGTERM');
  expect(JSON.stringify(answers)).toContain('SERVICE_UNAVAILABLE');
  for (const text of [JSON.stringify(answers), gateway.stderr(), gateway.stdout()])
    expect(namesFound(text, { password })).toEqual([]);

  // The database lets nobody in now. A percent sign in a password stands for itself where it can stand for nothing else.
  const percent = new URL(user.url);
  percent.password = '100%';
  expect((await runBuilt(['migrate'], { DATA_DIR })).code).toBe(0);
  for (const { code, stderr, stdout } of await Promise.all([
    runBuilt(['serve'], { DATABASE_URL: user.url, DATA_DIR: await temporaryDir(), PORT: '0' }),
    runBuilt(['migrate', '--dry-run'], { DATABASE_URL: user.url }),
    runBuilt(['copy', '--from', DATA_DIR, '--to', user.url]),
    runBuilt(['migrate'], { DATABASE_URL: percent.href }),
  ])) {
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`The database ${user.name} cannot be used (`),
    ]);
    expect(namesFound(stderr + stdout, { password })).toEqual([]);
    expect(stderr + stdout).not.toContain('100%');
  }
});

function environmentOf(canaries: Awaited<ReturnType<typeof createCanaries>>) {
  const { annsKey, bobsKey, jwtSecret, kieKey, newHmacKey, oldHmacKey } = canaries;
  return {
    KIE_API_KEY: kieKey,
    KIE_WEBHOOK_HMAC_KEYS: `${newHmacKey},${oldHmacKey}`,
    API_KEYS: `ann:${annsKey},bob:${bobsKey}`,
    JWT_SECRET: jwtSecret,
  };
}

/** What a provider that is careless with what it was sent says. */
function echo(request: ProviderRequest): string {
  const { callBackUrl = '' } = kie.createBody(request);
  return `${request.headers.authorization ?? ''} may not call ${callBackUrl} (${request.rawBody})`;
}

/** Everything that is in a directory. */
async function contentOf(dir: string): Promise<string> {
  const files = await readdir(dir, { recursive: true, withFileTypes: true });
  const texts = files
    .filter((file) => file.isFile())
    .map((file) => readFile(join(file.parentPath, file.name), 'latin1'));
  return (await Promise.all(texts)).join('\n');
}

/** A user who owns a database; `url` holds the password, `name` does not. */
async function userWith(password: string) {
  const user = `canary_${randomUUID().replaceAll('-', '')}`;
  const run = (statement: string) => queryDatabase(inject('postgresUrl'), statement);
  await run(`create role ${user} login password '${password}'`);
  onTestEnd(() => run(`drop role ${user}`).then(() => undefined));
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
