import { chmod, chown, cp, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readDockerfile, readImage } from '../../kit/dockerfile.ts';
import { temporaryDir } from '../../kit/gateway.ts';
import { imageBytes } from '../../kit/images.ts';
import { ROOT, listening, startProcess, type TestProcess } from '../../kit/process.ts';
import { createTask, watchToTheEnd } from '../client.ts';
import { npm } from './install.ts';

/** Somebody who may do nothing in particular; Debian's `nobody`. */
const NOBODY = 65_534;

const KEY = 'a-long-random-key';

const image = readImage();

test('what the image holds runs as somebody who may write to the data alone, and stops cleanly', async () => {
  const app = await layOut();
  const before = await listing(app);
  const refused = run(app, image.command('ENTRYPOINT'), {});
  expect((await refused.exited).code).toBe(78);
  expect(refused.stderr()).toContain('API_KEYS=owner:key');

  const [DATA_DIR, TMPDIR] = [await writable(), await writable()];
  const env = { API_KEYS: `backend:${KEY}`, DATA_DIR, PORT: '0', TMPDIR };
  const gateway = await listening(run(app, image.command('ENTRYPOINT'), env));
  const { id } = await createTask(
    gateway.graphqlUrl,
    { prompt: 'snow [sandbox: duration=50ms]', imageUrl: await upload(gateway.url) },
    KEY,
  );
  expect((await watchToTheEnd(gateway.graphqlUrl, id, KEY)).at(-1)?.state).toBe('SUCCESS');
  expect((await fetch(`${gateway.url}/`)).status).toBe(200);

  const checkHealth = async () => {
    const check = run(app, image.command('HEALTHCHECK'), { PORT: new URL(gateway.url).port });
    return (await check.exited).code;
  };
  expect(await checkHealth()).toBe(0);
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
  expect(await checkHealth()).toBe(1);
  expect(await readdir(DATA_DIR)).toContain('kineograph.db');
  expect(await readdir(TMPDIR)).toEqual([]);
  expect(await listing(app)).toEqual(before);
});

/** A directory that holds what the image's WORKDIR would: each COPY of the Dockerfile, from where its stage has it. */
async function layOut(): Promise<string> {
  const directory = await temporaryDir();
  await chmod(directory, 0o755);
  const app = join(directory, 'app');
  await mkdir(app);
  const origins = new Map([
    [null, ROOT],
    // Built for this run of the tests by the same command.
    ['build', ROOT],
    ['packages', await installPackages(join(directory, 'packages'))],
  ]);
  for (const { from, sources, to } of image.copies)
    for (const source of sources) {
      const path = source.replace('/app/', '');
      const target = sources.length > 1 || to === './' ? join(app, to, path) : join(app, to);
      await cp(join(origins.get(from) ?? '', path), target, { recursive: true });
    }
  return app;
}

/** The stage "packages", without its compiler. */
async function installPackages(directory: string): Promise<string> {
  await mkdir(directory);
  const stage = readDockerfile().find(({ name }) => name === 'packages');
  for (const source of stage?.copies.flatMap(({ sources }) => sources) ?? [])
    await cp(join(ROOT, source), join(directory, source));
  const [command = ''] = stage?.runs.filter((one) => one.startsWith('npm ')) ?? [];
  await npm(command.split(' ').slice(1), directory);
  return directory;
}

/** Runs a command of the image in what it holds, with its environment, and as nobody where we are somebody. */
function run(app: string, command: readonly string[], env: Readonly<Record<string, string>>): TestProcess {
  const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const words = process.getuid?.() === 0 ? ['setpriv', ...ids, ...command] : command;
  const [program = '', ...args] = words;
  return startProcess(program, args, { ...image.env, ...env }, app);
}

async function writable(): Promise<string> {
  const directory = await temporaryDir();
  if (process.getuid?.() === 0) await chown(directory, NOBODY, NOBODY);
  return directory;
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

async function upload(url: string): Promise<string> {
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'image/png' };
  const body = new Uint8Array(await imageBytes('png', { width: 400, height: 400 }));
  const answer = await fetch(`${url}/uploads`, { method: 'POST', headers, body });
  return ((await answer.json()) as { url: string }).url;
}
