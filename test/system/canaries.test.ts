import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CREATE, TASK, TASKS, input } from '../kit/documents.ts';
import { startFakeProvider, type ProviderRequest } from '../kit/provider.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import {
  createBody,
  created,
  failed,
  refused,
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
  param,
} from '../kit/kie.ts';
import { runBuilt, startBuilt } from '../kit/process.ts';
import { blunder, knockWith } from './careless-clients.ts';
import { createCanaries, environmentOf, namedSecrets, namesFound } from './canaries.ts';

/** What a provider that is careless with what it was sent says. */
function echo(request: ProviderRequest): string {
  const { callBackUrl = '' } = createBody(request);
  return `${request.headers.authorization ?? ''} may not call ${callBackUrl} (${request.rawBody})`;
}

async function start() {
  const provider = await startFakeProvider();
  const canaries = await createCanaries();
  const DATA_DIR = await temporaryDir();
  const gateway = await startBuilt({
    ...environmentOf(canaries),
    KIE_API_URL: provider.url,
    PUBLIC_URL: 'https://gateway.example.test',
    CREATE_WAIT_MS: '1000',
    LOG_LEVEL: 'trace',
    DATA_DIR,
  });
  return { provider, canaries, gateway, DATA_DIR };
}

/** Everything that is in a directory. */
async function contentOf(dir: string): Promise<string> {
  const files = await readdir(dir, { recursive: true, withFileTypes: true });
  const texts = files
    .filter((file) => file.isFile())
    .map((file) => readFile(join(file.parentPath, file.name), 'latin1'));
  return (await Promise.all(texts)).join('\n');
}

test('no secret is ever written out, stored or told, whatever happens and whatever the log level', async () => {
  const { canaries, DATA_DIR, gateway, provider } = await start();
  const answers: unknown[] = [];
  const callbackPaths: string[] = [];
  const as = (credential: string) => ({ authorization: `Bearer ${credential}` });
  const ask = async (credential: string, query: string, variables: object) => {
    const { body } = await graphql(gateway.graphqlUrl, query, { ...variables }, as(credential));
    answers.push(body);
  };
  const create = (credential: string) => ask(credential, CREATE, { input: input() });
  const pathOf = (request: ProviderRequest): string => {
    const { pathname } = new URL(createBody(request).callBackUrl ?? '');
    callbackPaths.push(pathname);
    return pathname;
  };

  // Whenever it is asked, which may be before the callbacks come.
  provider.always('recordInfo', ({ headers }) => {
    const [path = ''] = callbackPaths;
    const message = `${headers.authorization ?? ''} ${path}`;
    return failed('kie-1', '500', message, { param: param(gateway.url + path) });
  });

  // Creates: taken, refused, limited and lost, by a provider that repeats whatever it was sent.
  provider.answer(
    'createTask',
    (request) => (pathOf(request), created('kie-1')),
    (request) => (pathOf(request), refused(401, echo(request))),
    (request) => (pathOf(request), { status: 500, body: echo(request) }),
    (request) => (pathOf(request), created('kie-2')),
    (request) => (pathOf(request), refused(500, echo(request), { http: 500 })),
  );
  for (const credential of [canaries.annsKey, canaries.annsKey, canaries.bobsKey, canaries.token])
    await create(credential);
  await create(canaries.bobsKey);
  const [first = '', , , second = ''] = callbackPaths;

  // Callbacks: without a signature, with each key, to a wrong address, and about a failure that repeats the address.
  const success = callbackSuccess('kie-1', { param: param(gateway.url + first) });
  const failure = callbackFail('kie-2', { failMsg: `could not call ${gateway.url}${second}` });
  const [newKey, oldKey] = canaries.hmacKeys;
  const statuses = [];
  for (const [path, body, headers] of [
    [first, success, {}],
    [first.slice(0, -1), success, sign(newKey, 'kie-1')],
    [`${first}/more`, success, sign(newKey, 'kie-1')],
    [second, failure, sign(oldKey, 'kie-2')],
    [`${second}?again`, failure, { ...sign(newKey, 'kie-2'), ...as(canaries.kieKey) }],
  ] as const) {
    const { body: answer, status } = await deliverCallback(gateway.url + path, body, headers);
    answers.push(answer);
    statuses.push(status);
  }
  expect(statuses).toEqual([401, 401, 404, 200, 200]);
  const socket = await openGraphqlWs(gateway.graphqlUrl, { connectionParams: as(canaries.annsKey) });
  const [, id = ''] = /kie\/([^/]+)/.exec(first) ?? [];
  const query = 'subscription ($id: ID!) { taskUpdated(id: $id) { state failure { message } } }';
  for await (const result of socket.subscribe({ query, variables: { id } })) answers.push(result);
  expect(JSON.stringify(answers)).toContain('FAIL');
  await socket.close();

  // Callers who are wrong, and callers who are careless.
  for (const credential of [canaries.wrongKey, canaries.expiredToken]) {
    const refusals = await knockWith(gateway, credential);
    expect(refusals).toEqual([...Array<number>(8).fill(401), 4403, 4403]);
  }
  for (const secret of Object.values(namedSecrets(canaries))) await blunder(gateway, secret);

  // A provider that is away.
  await provider.close();
  await create(canaries.annsKey);
  for (const credential of [canaries.annsKey, canaries.bobsKey, canaries.token]) {
    await ask(credential, TASKS, {});
    await ask(credential, TASK, { id });
  }
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toEqual({ code: 0, signal: null });

  const tokens = Object.fromEntries(callbackPaths.map((path, at) => [`callback ${at}`, path.slice(-43)]));
  const secrets = { ...namedSecrets(canaries), ...tokens };
  expect(Object.keys(tokens)).toHaveLength(5);
  const output = gateway.stdout();
  expect(output).toContain(id);
  expect(namesFound(output, secrets)).toEqual([]);
  expect(gateway.stderr()).toBe('');
  expect(namesFound(JSON.stringify(answers), secrets)).toEqual([]);
  expect(namesFound(await contentOf(DATA_DIR), secrets)).toEqual([]);

  const routes = output.split('\n').flatMap((line) => /"route":"([^"]*)"/.exec(line)?.[1] ?? []);
  expect(new Set(routes)).toEqual(new Set(['/graphql', 'none']));
});

describe('the command', () => {
  test('names no secret in its report of mistakes, whichever variable it is in', async () => {
    const canaries = await createCanaries();
    const { code, stderr, stdout } = await runBuilt([], {
      KIE_API_KEY: `${canaries.kieKey} with spaces`,
      KIE_WEBHOOK_HMAC_KEYS: `"${canaries.hmacKeys[0]}"`,
      KIE_WEBHOOK_HMAC_KEY: canaries.hmacKeys[1],
      API_KEYS: `ann ${canaries.annsKey},${canaries.bobsKey.slice(0, 5)} ${canaries.bobsKey}`,
      JWT_SECRET: `${canaries.jwtSecret} ü`,
      KIE_API_URL: `https://user:${canaries.wrongKey}@kie.example/path`,
      DATABASE_URL: `postgres://user:${canaries.databasePassword}@db.example/tasks`,
      DATA_DIR: await temporaryDir(),
    });
    expect(code).toBe(78);
    for (const name of ['KIE_API_KEY', 'KIE_WEBHOOK_HMAC_KEY', 'API_KEYS', 'JWT_SECRET', 'DATABASE_URL'])
      expect(stderr).toContain(name);
    expect(namesFound(stderr + stdout, namedSecrets(canaries))).toEqual([]);
  });

  test('names no secret of its environment in its help', async () => {
    const canaries = await createCanaries();
    const { code, stderr, stdout } = await runBuilt(['--help'], environmentOf(canaries));
    expect(code).toBe(0);
    expect(namesFound(stderr + stdout, namedSecrets(canaries))).toEqual([]);
  });
});
