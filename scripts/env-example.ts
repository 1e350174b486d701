// Writes .env.example from the config schema; with --check, fails when the committed file differs from it.
import { readFileSync, writeFileSync } from 'node:fs';
import { renderEnvExample } from './docs/env-example.ts';

const path = new URL('../.env.example', import.meta.url);
const expected = renderEnvExample();

if (!process.argv.includes('--check')) {
  writeFileSync(path, expected);
} else if (readFileSync(path, 'utf8') !== expected) {
  console.error('.env.example differs from the config schema. Mend it with:\n\n  npm run schema\n');
  process.exitCode = 1;
}
