import { build } from 'esbuild';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buildDashboard } from './build-dashboard.ts';
import { BUNDLE } from './bundle.ts';
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
  ...BUNDLE,
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
});
const used = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
await writeLicenses(
  used.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path),
  join(outdir, 'licenses.md'),
);
await buildDashboard();
