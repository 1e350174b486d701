// Writes the pages of docs/ that are made from the code; with --check, fails when a committed one differs from it.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { renderConfiguration } from './docs/configuration.ts';
import { renderErrors } from './docs/errors.ts';
import { renderModels } from './docs/models.ts';

const PAGES = {
  'configuration.md': renderConfiguration,
  'errors.md': renderErrors,
  'models.md': renderModels,
};

for (const [name, render] of Object.entries(PAGES)) {
  const path = fileURLToPath(new URL(`../docs/${name}`, import.meta.url));
  const expected = await format(render(), { ...(await resolveConfig(path)), filepath: path });
  if (!process.argv.includes('--check')) {
    writeFileSync(path, expected);
  } else if (readFileSync(path, 'utf8') !== expected) {
    console.error(`docs/${name} differs from the code. Mend it with:\n\n  npm run schema\n`);
    process.exitCode = 1;
  }
}
