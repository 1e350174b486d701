import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDir } from '../../kit/gateway.ts';
import { ROOT, listening, startProcess } from '../../kit/process.ts';
import { createTask, watchToTheEnd } from '../client.ts';
import { npm } from './install.ts';

/** What `npm pack --json` tells. */
interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const MB = 1024 * 1024;

/** Some of the packages that are bundled, by the files that have to hold their licences. */
const BUNDLED = {
  'dist/licenses.md': ['ipaddr.js', 'graphql-http', 'pg-types'],
  // The last one is used by a worker alone.
  'dist/dashboard/licenses.md': ['react-dom', 'graphiql', 'picomatch-browser'],
};

test('the package, installed where nothing else is, makes a video and stops when it is told to', async () => {
  const directory = await temporaryDir();
  const { filename, files, unpackedSize } = await pack(directory);
  const paths = files.map(({ path }) => path);
  for (const path of [
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    '.env.example',
    'schema.graphql',
    'dist/main.js',
  ])
    expect(paths).toContain(path);
  expect(paths.filter((path) => /\.map$|\.ts$|^(src|test|dashboard|bench)\//.test(path))).toEqual([]);
  expect(unpackedSize).toBeLessThan(25 * MB);

  const home = join(directory, 'home');
  await mkdir(home);
  // Without it npm takes a directory further up that has one.
  await writeFile(join(home, 'package.json'), '{}');
  await npm(['install', join(directory, filename)], home);
  for (const [path, packages] of Object.entries(BUNDLED)) {
    const text = readFileSync(join(home, 'node_modules/kineograph', path), 'utf8');
    for (const name of packages) expect(text).toMatch(new RegExp(`^## ${name} - .+\\n\\n(?!##)`, 'm'));
  }

  const version = startProcess('npx', ['--no-install', 'kineograph', '--version'], {}, home);
  expect(await version.exited).toEqual({ code: 0, signal: null });
  const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
  expect(version.stdout()).toBe(`${manifest.version}\n`);

  const gateway = await listening(
    startProcess(join(home, 'node_modules/.bin/kineograph'), [], { PORT: '0' }, home),
  );
  const { id } = await createTask(gateway.graphqlUrl, { prompt: 'snow [sandbox: duration=50ms]' });
  const last = (await watchToTheEnd(gateway.graphqlUrl, id)).at(-1);
  expect(last?.state).toBe('SUCCESS');
  const video = await fetch(last?.videos[0]?.url ?? '');
  expect([video.status, video.headers.get('content-type')]).toEqual([200, 'video/mp4']);
  for (const path of ['/', '/graphql'])
    expect(await pageAt(gateway.url + path)).toContain('<script type="module"');

  gateway.signal('SIGTERM');
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
});

/** Of what was built for this run of the tests; only where it is published does npm build it anew. */
async function pack(directory: string): Promise<Packed> {
  const report = await npm(['pack', '--json', `--pack-destination=${directory}`], ROOT);
  const [packed] = JSON.parse(report) as Packed[];
  if (!packed) throw new Error('npm packed nothing');
  return packed;
}

async function pageAt(url: string): Promise<string> {
  const response = await fetch(url, { headers: { accept: 'text/html' } });
  expect(response.status).toBe(200);
  return response.text();
}
