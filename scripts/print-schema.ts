// Writes schema.graphql from the code; with --check, fails when the committed file differs from it.
import { printSchema } from 'graphql';
import { readFileSync, writeFileSync } from 'node:fs';
import { schema } from '../src/schema/schema.ts';

const path = new URL('../schema.graphql', import.meta.url);
const expected = `${printSchema(schema)}\n`;

if (!process.argv.includes('--check')) {
  writeFileSync(path, expected);
} else if (readFileSync(path, 'utf8') !== expected) {
  console.error('schema.graphql differs from the code. Mend it with:\n\n  npm run schema\n');
  process.exitCode = 1;
}
