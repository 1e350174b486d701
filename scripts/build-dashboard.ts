import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { build, type Plugin } from 'vite';
import { writeLicenses } from './write-licenses.ts';

const SOURCES = [
  'dashboard',
  'schema.graphql',
  'package-lock.json',
  'scripts/build-dashboard.ts',
  'scripts/write-licenses.ts',
];
const STAMP = 'dist/dashboard/.built-from';
const COMPRESSED = /\.(?:css|html|js|json|svg|ttf)$/;

/** Makes dist/dashboard of dashboard/, with a compressed twin beside each file, unless it is there already. */
export async function buildDashboard(): Promise<void> {
  const from = await hashOf(SOURCES);
  if (existsSync(STAMP) && (await readFile(STAMP, 'utf8')) === from) return;
  const modules = new Set<string>();
  const collect = collectModules(modules);
  await build({
    configFile: 'dashboard/vite.config.ts',
    logLevel: 'warn',
    plugins: [collect],
    worker: { plugins: () => [collect] },
  });
  // Vite's own list leaves out what only workers use.
  await writeLicenses(modules, 'dist/dashboard/licenses.md');
  await compress('dist/dashboard');
  await writeFile(STAMP, from);
}

function collectModules(modules: Set<string>): Plugin {
  return {
    name: 'collect-modules',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle))
        if (file.type === 'chunk') for (const id of file.moduleIds) modules.add(id);
    },
  };
}

async function hashOf(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths)
    for (const file of await filesIn(path)) hash.update(file).update(await readFile(file));
  return hash.digest('hex');
}

async function filesIn(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ name, parentPath }) => join(parentPath, name)).toSorted();
}

async function compress(directory: string): Promise<void> {
  const files = (await filesIn(directory)).filter((file) => COMPRESSED.test(file));
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  await Promise.all(
    files.map(async (file) => {
      const content = await readFile(file);
      await writeFile(`${file}.br`, await promisify(brotliCompress)(content, { params }));
      await writeFile(`${file}.gz`, await promisify(gzip)(content, { level: 9 }));
    }),
  );
}
