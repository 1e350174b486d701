import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url).pathname;
const FILES = ['src', 'test', 'docs'].flatMap((folder) =>
  readdirSync(`${ROOT}${folder}`, { recursive: true }).map((path) => `${folder}/${String(path)}`),
);
const DOCS = ['README.md', 'ARCHITECTURE.md', ...FILES.filter((path) => path.endsWith('.md'))];

test.each(DOCS)('every file of ours that %s names is there, or several that begin so', (doc) => {
  const named = readFileSync(`${ROOT}${doc}`, 'utf8').match(/\b(test|src|docs)\/[\w./-]*\w/g) ?? [];
  expect(named.filter((path) => !FILES.some((file) => file.startsWith(path)))).toEqual([]);
});
