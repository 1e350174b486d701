import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { TASK, TASKS } from '../kit/documents.ts';
import { startReplica, temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, notVisibleYet } from '../kit/kie.ts';
import { MAIN, startBuilt, startOnTerminal, startProcess } from '../kit/process.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { deferred, onTestEnd, staysPending } from '../kit/waits.ts';
import { createTask, servedBy, watchToTheEnd } from './client.ts';

const CLEANLY = { code: 0, signal: null };

test('asked to stop, it sends its clients away, exits 0 within 5 s, and has lost no task and no line of its log', async () => {
  const DATA_DIR = await temporaryDir();
  const gateway = await startBuilt({ DATA_DIR });
  const prompt = 'snow falling [sandbox: duration=1s]';
  const ids = [];
  for (let i = 0; i < 3; i += 1) ids.unshift((await createTask(gateway.graphqlUrl, { prompt })).id);
  const socket = await openGraphqlWs(gateway.graphqlUrl);

  const signalledAt = performance.now();
  expect(await gateway.end('SIGTERM')).toEqual(CLEANLY);
  expect(performance.now() - signalledAt).toBeLessThan(5000);
  expect((await socket.closed).code).toBe(1001);

  const lines = gateway.stdout().trimEnd().split('\n');
  const logged = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  for (const { level, msg, time } of logged)
    expect([level, typeof time, typeof msg]).toEqual(['info', 'string', 'string']);
  expect(logged.at(-1)).toMatchObject({ msg: 'stopped' });
  expect(gateway.stderr()).toBe('');

  const again = await startBuilt({ DATA_DIR });
  const { body } = await graphql(again.graphqlUrl, TASKS);
  expect(dataOf(body).tasks.edges.map(({ node }) => node.id)).toEqual(ids);
  const ends = await Promise.all(ids.map((id) => watchToTheEnd(again.graphqlUrl, id)));
  expect(ends.map((seen) => seen.at(-1)?.state)).toEqual(['SUCCESS', 'SUCCESS', 'SUCCESS']);
});

test('a second signal ends it at once, though a create call is in the air, and that call is never sent again', async () => {
  const provider = await startFakeProvider();
  provider.answer('createTask', { hang: true });
  const env = { ...servedBy(provider), DATA_DIR: await temporaryDir(), SUBMISSION_GRACE_MS: '300' };
  const gateway = await startBuilt(env);
  const creating = createTask(gateway.graphqlUrl);
  await provider.received('createTask');

  gateway.signal('SIGTERM');
  // The caller is answered before the process goes.
  const { id, state } = await creating;
  expect(state).toBe('SUBMITTING');
  await gateway.logged('stopping');
  expect(await gateway.end('SIGTERM')).toEqual({ code: 1, signal: null });

  const again = await startBuilt(env);
  expect((await watchToTheEnd(again.graphqlUrl, id)).at(-1)?.failure?.code).toBe('SUBMISSION_UNKNOWN');
  expect(provider.requests('createTask')).toHaveLength(1);
});

test('asked to stop while its database does not answer, it answers what waits and ends in its time', async () => {
  const provider = await startFakeProvider();
  const answered = deferred();
  provider.answer('createTask', { ...created('kie-1'), gate: answered.promise });
  provider.always('recordInfo', notVisibleYet());
  const gateway = await startReplica('key-of-the-test', {
    databaseUrl: await temporaryDatabase(),
    env: { KIE_API_URL: provider.url, SHUTDOWN_MS: '4000' },
  });
  const creating = createTask(gateway.graphqlUrl).catch((error: unknown) => error);
  await provider.received('createTask');
  gateway.network.blackHole();
  // Its outcome cannot be stored, which the process tries for as long as it may.
  answered.resolve();
  const asked = [1, 2, 3].map(() => graphql(gateway.graphqlUrl, TASKS));
  await gateway.logged('create call ended');
  // Connections are taken in their order: after this answer the others were taken as well.
  await fetch(`${gateway.url}/health`);

  const signalledAt = performance.now();
  gateway.signal('SIGTERM');
  for (const { body } of await Promise.all(asked))
    expect(body.errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['SERVICE_UNAVAILABLE']);
  expect(await creating).toBeInstanceOf(Error);
  expect(await gateway.exited).toEqual(CLEANLY);
  // SHUTDOWN_MS, and what a busy machine takes to end a process: a statement alone would be waited for longer.
  expect(performance.now() - signalledAt).toBeLessThan(6000);
});

test('a process that was stopped beyond the time-out of its create calls still reads their answers', async () => {
  const createTimeout = 3000;
  const provider = await startFakeProvider();
  const answer = deferred('the create calls to be answered');
  let taken = 0;
  provider.always('createTask', () => ({ ...created(`kie-${(taken += 1)}`), gate: answer.promise }));
  provider.always('recordInfo', { status: 404 });
  const gateway = await startBuilt({
    ...servedBy(provider),
    DATA_DIR: await temporaryDir(),
    CREATE_WAIT_MS: '0',
    CREATE_TIMEOUT_MS: String(createTimeout),
  });
  const tasks = await Promise.all([1, 2, 3].map(() => createTask(gateway.graphqlUrl)));
  await Promise.all(tasks.map(() => provider.received('createTask')));

  gateway.signal('SIGSTOP');
  answer.resolve();
  await staysPending(gateway.logged('create call ended'), createTimeout + 500);
  gateway.signal('SIGCONT');
  for (const { id } of tasks) {
    await gateway.line((line) => line.includes('WAITING') && line.includes(id));
    const { body } = await graphql(gateway.graphqlUrl, TASK, { id });
    expect(dataOf(body).task).toMatchObject({ state: 'WAITING', failure: null });
  }
  expect(gateway.stdout()).not.toContain('"outcome":"unknown"');
});

test('on a terminal it shows where to go, what answers and who may call, and Ctrl-C or closing it stops it', async () => {
  const DATA_DIR = await temporaryDir();
  const start = async () => {
    const terminal = startOnTerminal({ PORT: '0', DATA_DIR });
    await terminal.line((line) => line.includes('Access'));
    return terminal;
  };
  const terminal = await start();

  const shown = stripVTControlCharacters(terminal.stdout()).replaceAll('\r', '');
  const origin = /GraphiQL +(http:\/\/127\.0\.0\.1:\d+)\/graphql\n/.exec(shown)?.[1] ?? '';
  for (const row of [
    `WebSocket +${origin.replace('http', 'ws')}/graphql`,
    `Callbacks +${origin}/webhooks/kie/{taskId}/{token}`,
    'Provider +sandbox at http://127\\.0\\.0\\.1:\\d+',
    `Store +SQLite in ${DATA_DIR}`,
    'Access +open, loopback only',
  ])
    expect(shown).toMatch(new RegExp(`^ *${row}$`, 'm'));
  expect(shown).not.toContain('{"level"');
  terminal.type('\u0003');
  expect(await terminal.exited).toEqual(CLEANLY);

  const again = await start();
  again.endInput();
  // With which code is not ours to say: some versions of Node.js crash at exit when their terminal is gone.
  await again.exited;
  await startBuilt({ DATA_DIR });
});

test.each([
  ['--help', 0],
  ['migrate', 0],
  ['doctor --json', 0],
  ['nonsense', 64],
])('"kineograph %s" whose reader has gone ends quietly, with its exit code %i', async (command, code) => {
  const script = `'${process.execPath}' '${MAIN}' ${command} 2>&1 | true; echo "ended with \${PIPESTATUS[0]}"`;
  const closed = startProcess('bash', ['-c', script], { DATA_DIR: await temporaryDir() });
  await closed.exited;
  expect(closed.stdout()).toBe(`ended with ${code}\n`);
});

test.each(['goes away', 'takes nothing more'])(
  'a reader of its log that %s neither holds it up nor keeps it from ending',
  async (what) => {
    const env = { PORT: '0', DATA_DIR: await temporaryDir() };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    onTestEnd(() => void child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    let text = '';
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      if (text.includes('"listening"')) break;
    }
    const url = /"url":"(http:[^"]+)"/.exec(text)?.[1] ?? '';

    if (what === 'goes away') {
      child.stdout.destroy();
      await once(child.stdout, 'close');
    } else {
      child.stdout.pause();
      // More than pipes and streams hold, at some 150 bytes for each request.
      for (let sent = 0; sent < 1500; sent += 100) {
        const answers = await Promise.all(Array.from({ length: 100 }, () => fetch(`${url}/nowhere`)));
        expect(answers.every(({ status }) => status === 404)).toBe(true);
        await Promise.all(answers.map((answer) => answer.text()));
      }
    }
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  },
);

test('a start loads nothing that it does without', async () => {
  const NODE_V8_COVERAGE = await temporaryDir();
  const env = { DATA_DIR: await temporaryDir(), KIE_API_KEY: 'test-key', NODE_V8_COVERAGE };
  const gateway = await startBuilt(env);
  await fetch(`${gateway.graphqlUrl}?query={__typename}`);
  await gateway.end('SIGTERM');
  const used = await loadedBy(NODE_V8_COVERAGE);
  for (const name of ['graphql', 'kysely', 'src/app']) expect(used).toContain(name);
  for (const name of ['jose', 'pg', 'rate-limiter-flexible', 'src/sandbox']) expect(used).not.toContain(name);
});

/** The packages and folders of src in the files of dist/ that a program has loaded, by what Node writes at its end. */
async function loadedBy(coverageDir: string): Promise<Set<string>> {
  const [report = ''] = await readdir(coverageDir);
  const { result } = JSON.parse(await readFile(join(coverageDir, report), 'utf8')) as {
    readonly result: readonly { readonly url: string }[];
  };
  const files = result.map(({ url }) => url).filter((url) => url.includes('/dist/'));
  const maps = await Promise.all(files.map((url) => readFile(new URL(`${url}.map`), 'utf8')));
  const sources = maps.flatMap((map) => (JSON.parse(map) as { readonly sources: readonly string[] }).sources);
  const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\/|\/(src\/[^/]+)\//;
  return new Set(sources.map((path) => name.exec(path)?.slice(1).join('') ?? ''));
}
