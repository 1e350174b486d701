import { readFileSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import manifest from '../../package.json' with { type: 'json' };
import { readDockerfile, readImage } from '../kit/dockerfile.ts';
import { type ApiTask, TASK_UPDATED } from '../kit/documents.ts';
import { HMAC_KEY, startReplica, temporaryDir } from '../kit/gateway.ts';
import { imageBytes } from '../kit/images.ts';
import { created, notVisibleYet } from '../kit/kie.ts';
import { freePort, ROOT, listening, startProcess, type TestProcess } from '../kit/process.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { openSse } from '../kit/sse.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { createQueue, onTestEnd } from '../kit/waits.ts';
import { callBack, createTask, watchToTheEnd } from './client.ts';

const CLEANLY = { code: 0, signal: null };

/** Some of the packages that are bundled, by the files that have to hold their licences. */
const BUNDLED = {
  'dist/licenses.md': ['ipaddr.js', 'graphql-http', 'pg-types'],
  // The last one is used by a worker alone.
  'dist/dashboard/licenses.md': ['react-dom', 'graphiql', 'picomatch-browser'],
};

test('the package, installed where nothing else is, makes a video and stops when it is told to', async () => {
  const directory = await temporaryDir();
  // Of what was built for this run of the tests; only where it is published does npm build it anew.
  const report = await npm(['pack', '--json', `--pack-destination=${directory}`], ROOT);
  const [packed] = JSON.parse(report) as {
    readonly filename: string;
    readonly unpackedSize: number;
    readonly files: readonly { readonly path: string }[];
  }[];
  const paths = packed?.files.map(({ path }) => path) ?? [];
  for (const path of ['LICENSE', 'CHANGELOG.md', '.env.example', 'schema.graphql', 'dist/main.js'])
    expect(paths).toContain(path);
  expect(paths.filter((path) => /\.map$|\.ts$|^(src|test|dashboard|bench)\//.test(path))).toEqual([]);
  expect(packed?.unpackedSize).toBeLessThan(25 * 1024 * 1024);

  const home = join(directory, 'home');
  await mkdir(home);
  // Without it npm takes a directory further up that has one.
  await writeFile(join(home, 'package.json'), '{}');
  await npm(['install', join(directory, packed?.filename ?? '')], home);
  for (const [path, packages] of Object.entries(BUNDLED)) {
    const text = readFileSync(join(home, 'node_modules/kineograph', path), 'utf8');
    for (const name of packages) expect(text).toMatch(new RegExp(`^## ${name} - .+\\n\\n(?!##)`, 'm'));
  }

  const version = startProcess('npx', ['--no-install', 'kineograph', '--version'], {}, home);
  expect(await version.exited).toEqual(CLEANLY);
  expect(version.stdout()).toBe(`${manifest.version}\n`);
  const command = join(home, 'node_modules/.bin/kineograph');
  const gateway = await listening(startProcess(command, [], { PORT: '0' }, home));
  const { id } = await createTask(gateway.graphqlUrl, { prompt: 'snow [sandbox: duration=50ms]' });
  const last = (await watchToTheEnd(gateway.graphqlUrl, id)).at(-1);
  expect(last?.state).toBe('SUCCESS');
  const video = await fetch(last?.videos[0]?.url ?? '');
  expect([video.status, video.headers.get('content-type')]).toEqual([200, 'video/mp4']);
  for (const path of ['/', '/graphql']) {
    const page = await fetch(gateway.url + path, { headers: { accept: 'text/html' } });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<script type="module"')]);
  }
  expect(await gateway.end('SIGTERM')).toEqual(CLEANLY);
});

/** Somebody who may do nothing in particular; Debian's `nobody`. */
const NOBODY = 65_534;
const KEY = 'a-long-random-key';
const IS_ROOT = process.getuid?.() === 0;
const image = readImage();

test('what the image holds runs as somebody who may write to the data alone, and stops cleanly', async () => {
  const app = await layOut();
  const before = await listing(app);
  const refused = run(app, image.command('ENTRYPOINT'), {});
  expect((await refused.exited).code).toBe(78);
  expect(refused.stderr()).toContain('API_KEYS=owner:key');

  const [DATA_DIR, TMPDIR] = [await temporaryDir(), await temporaryDir()];
  if (IS_ROOT) for (const directory of [DATA_DIR, TMPDIR]) await chown(directory, NOBODY, NOBODY);
  const env = { API_KEYS: `backend:${KEY}`, DATA_DIR, PORT: '0', TMPDIR };
  const gateway = await listening(run(app, image.command('ENTRYPOINT'), env));
  const uploaded = await fetch(`${gateway.url}/uploads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'image/png' },
    body: new Uint8Array(await imageBytes('png', { width: 400, height: 400 })),
  });
  const { url: imageUrl } = (await uploaded.json()) as { readonly url: string };
  const prompt = 'snow [sandbox: duration=50ms]';
  const { id } = await createTask(gateway.graphqlUrl, { prompt, imageUrl }, KEY);
  expect((await watchToTheEnd(gateway.graphqlUrl, id, KEY)).at(-1)?.state).toBe('SUCCESS');
  expect((await fetch(`${gateway.url}/`)).status).toBe(200);

  const checkHealth = async () => {
    const check = run(app, image.command('HEALTHCHECK'), { PORT: new URL(gateway.url).port });
    return (await check.exited).code;
  };
  expect(await checkHealth()).toBe(0);
  expect(await gateway.end('SIGTERM')).toEqual(CLEANLY);
  expect(await checkHealth()).toBe(1);
  expect(await readdir(DATA_DIR)).toContain('kineograph.db');
  expect(await readdir(TMPDIR)).toEqual([]);
  expect(await listing(app)).toEqual(before);
});

/** A directory that holds what the image's WORKDIR would: each COPY of the Dockerfile, from where its stage has it. */
async function layOut(): Promise<string> {
  const directory = await temporaryDir();
  await chmod(directory, 0o755);
  const [app, packages] = [join(directory, 'app'), join(directory, 'packages')];
  for (const one of [app, packages]) await mkdir(one);
  // The stage "packages", without its compiler. The stage "build" was run for these tests by the same command.
  const stage = readDockerfile().find(({ name }) => name === 'packages');
  for (const source of stage?.copies.flatMap(({ sources }) => sources) ?? [])
    await cp(join(ROOT, source), join(packages, source));
  const [command = ''] = stage?.runs.filter((one) => one.startsWith('npm ')) ?? [];
  await npm(command.split(' ').slice(1), packages);

  for (const { from, sources, to } of image.copies)
    for (const source of sources) {
      const path = source.replace('/app/', '');
      const target = sources.length > 1 || to === './' ? join(app, to, path) : join(app, to);
      await cp(join(from === 'packages' ? packages : ROOT, path), target, { recursive: true });
    }
  return app;
}

/** Runs a command of the image in what it holds, with its environment, and as nobody where we are somebody. */
function run(app: string, command: readonly string[], env: Readonly<Record<string, string>>): TestProcess {
  const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const [program = '', ...args] = IS_ROOT ? [...asNobody, ...command] : command;
  return startProcess(program, args, { ...image.env, ...env }, app);
}

/** Every file with its size and when it was changed. */
async function listing(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true });
  return Promise.all(
    entries.map(async (path) => {
      const { mtimeMs, size } = await stat(join(directory, path));
      return `${path} ${size} ${mtimeMs}`;
    }),
  );
}

/** Runs npm in a directory to its end, which has to be a good one. Returns what it wrote to stdout. */
async function npm(args: readonly string[], directory: string): Promise<string> {
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  const process = startProcess('npm', [...args, ...quiet], {}, directory);
  const { code } = await process.exited;
  if (code !== 0) throw new Error(`npm ${args.join(' ')}: ${process.stderr()}`);
  return process.stdout();
}

test('behind the load balancer of deploy/ a replica may die: sockets, event streams and callbacks go on with the other', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());
  const databaseUrl = await temporaryDatabase();
  const env = {
    KIE_API_URL: provider.url,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    PUBLIC_URL: 'https://video.example.test',
    TRUSTED_PROXIES: '127.0.0.1',
  };
  const start = (name: string) => startReplica(name, { databaseUrl, env });
  const [one, other] = await Promise.all([start('one'), start('other')]);
  const url = await startCaddy([one.url, other.url]);
  const graphqlUrl = `${url}/graphql`;

  provider.answer('createTask', created('kie-1'));
  const { id } = await createTask(graphqlUrl);
  // The balancer gives the second to the replica that has not got the first.
  const connected = createQueue<State>('the first state over a connection');
  const socket = watchOverSocket(graphqlUrl, id, connected.push);
  expect(await connected.take()).toBe('WAITING');
  const events = watchOverEvents(graphqlUrl, id, connected.push);
  expect(await connected.take()).toBe('WAITING');

  await one.end('SIGKILL');
  // One of them comes back.
  expect(await connected.take()).toBe('WAITING');
  const call = await provider.received('createTask');
  expect((await callBack(url, call, 'kie-1')).status).toBe(200);
  expect(await Promise.all([socket, events])).toEqual(['SUCCESS', 'SUCCESS']);
});

type State = ApiTask['state'];

/** Starts Caddy with the project's own file for it, in front of these origins. Returns its own. Needs caddy. */
async function startCaddy(origins: readonly string[]): Promise<string> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const directory = await temporaryDir();
  const config = join(ROOT, 'deploy/Caddyfile');
  // It logs to stderr.
  const caddy = startProcess('sh', ['-c', `exec caddy run --adapter caddyfile --config ${config} 2>&1`], {
    SITE_ADDRESS: url,
    BIND_ADDRESS: '127.0.0.1',
    REPLICAS: origins.map((origin) => new URL(origin).host).join(' '),
    CADDY_ADMIN: `unix/${join(directory, 'admin.sock')}`,
    XDG_CONFIG_HOME: directory,
    XDG_DATA_HOME: directory,
  });
  await caddy.logged('serving initial configuration');
  return url;
}

/** Follows a task and comes back when the connection is cut; tells the state that each connection began with. */
async function watchOverSocket(graphqlUrl: string, id: string, tell: (state: State) => void): Promise<State> {
  let isFirst = true;
  let last: State = 'FAIL';
  const client = createClient({
    url: graphqlUrl.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryWait: () => Promise.resolve(),
    on: { connected: () => (isFirst = true) },
  });
  onTestEnd(() => client.dispose());
  const operation = { query: TASK_UPDATED, variables: { id } };
  for await (const { data } of client.iterate<{ readonly taskUpdated: ApiTask }>(operation)) {
    last = data?.taskUpdated.state ?? last;
    if (isFirst) tell(last);
    isFirst = false;
  }
  return last;
}

async function watchOverEvents(graphqlUrl: string, id: string, tell: (state: State) => void): Promise<State> {
  try {
    const stream = await openSse(graphqlUrl, { query: TASK_UPDATED, variables: { id } });
    let last = (await stream.data()).taskUpdated.state;
    tell(last);
    for await (const { data } of stream) last = data?.taskUpdated.state ?? last;
    return last;
  } catch {
    // Cut; or, once, a 502 when the balancer sends it over a connection whose end it has not noticed yet.
    return watchOverEvents(graphqlUrl, id, tell);
  }
}
