import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { readPage } from '../kit/documentation.ts';
import { PAGES } from '../kit/pages.ts';
import { ROOT } from '../kit/process.ts';

const FILES = ['docs', 'scripts', 'src', 'test'].flatMap((folder) =>
  readdirSync(`${ROOT}${folder}`, { recursive: true }).map((path) => `${folder}/${String(path)}`),
);

test.each(PAGES)('every file of ours that %s names is there, or several that begin so', (page) => {
  const named =
    readFileSync(`${ROOT}${page}`, 'utf8').match(/(?<![\w/])(scripts|test|src|docs)\/[\w./-]*\w/g) ?? [];
  expect(named.filter((path) => !FILES.some((file) => file.startsWith(path)))).toEqual([]);
});

test.each(PAGES)('every script that %s names exists', (page) => {
  const named = [...readFileSync(`${ROOT}${page}`, 'utf8').matchAll(/npm run ([\w:]+)/g)];
  const scripts = scriptsFor(page);
  expect(named.filter(([, name = '']) => !(name in scripts))).toEqual([]);
});

/** Those of the package that the page is about. */
function scriptsFor(page: string): object {
  const folder = page.startsWith('examples/') ? 'examples/' : '';
  const { scripts } = JSON.parse(readFileSync(`${ROOT}${folder}package.json`, 'utf8')) as { scripts: object };
  return scripts;
}

test.each(PAGES)(
  'every link and picture of %s within the project leads to a file, or a heading of it',
  (page) => {
    const dead = readPage(page).links.filter((link) => !isForeign(link) && !leadsSomewhere(page, link));
    expect(dead).toEqual([]);
  },
);

function isForeign(link: string): boolean {
  return /^[a-z]+:/.test(link);
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = decodeURI(link).split('#');
  const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
  return existsSync(ROOT + target) && (anchor === undefined || readPage(target).anchors.has(anchor));
}
