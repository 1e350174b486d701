import { build } from 'esbuild';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buildDashboard } from './build-dashboard.ts';
import { writeLicenses } from './write-licenses.ts';

// Makes dist/ of src/ and the packages that it uses: as the 1,700 files that they are, finding and opening them takes more
// than half of a start. Types are checked elsewhere.
const outdir = 'dist';

await mkdir(outdir, { recursive: true });
for (const name of await readdir(outdir))
  if (name !== 'dashboard') await rm(join(outdir, name), { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: ['src/main.ts'],
  outdir,
  bundle: true,
  // What is imported when it is needed stays in files of its own.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // esbuild would choose its CommonJS twin, whose functions are reached through getters; and there may be one copy only.
  alias: { graphql: 'graphql/index.mjs' },
  // graphql-js checks each value against other copies of itself unless this is set.
  define: { 'process.env.NODE_ENV': '"production"' },
  sourcemap: true,
  sourcesContent: false,
  // CommonJS packages load Node's modules by it.
  banner: {
    js: "import { createRequire as createRequireHere } from 'node:module';\nconst require = createRequireHere(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
});
const used = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
await writeLicenses(
  used.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path),
  join(outdir, 'licenses.md'),
);
await buildDashboard();
