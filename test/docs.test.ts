import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { isAsShown, readPage, withRealIds } from './kit/documentation.ts';
import { PAGES } from './kit/pages.ts';
import { ROOT } from './kit/process.ts';

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
  'every link and image of %s within the project leads to a file, or a heading of it',
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

const ID = '01a2162e-5c52-77a6-ace4-07ff15ef3a24';
const OTHER = '01a21648-516d-740f-9230-d34a71de37c9';

test.each([
  ['the same', 'done', 'done\n', true],
  ['another word', 'done', 'gone', false],
  ['more than is shown', 'done', 'done it', false],
  ['JSON in one line', '{\n  "a": [1, 2]\n}', '{"a":[1,2]}', true],
  ['another value', '{ "a": 1 }', '{"a":2}', false],
  ['a word of white space less', '{ "a": "b c" }', '{"a":"bc"}', false],
  ['anything in place of …', 'a\n…\nb', 'a\n1\n2\nb', true],
  ['another time', '2026-11-27T01:44:05.297Z', '2026-11-28T02:00:00.000Z', true],
  ['no time', '2026-11-27T01:44:05.297Z', 'never', false],
  ['another port', 'http://127.0.0.1:4000/a', 'http://127.0.0.1:38947/a', true],
  ['another path', 'http://127.0.0.1:4000/a', 'http://127.0.0.1:38947/b', false],
  ['a state less', 'WAITING\nGENERATING\nSUCCESS', 'WAITING \nSUCCESS', true],
  ['another end', 'WAITING\nSUCCESS', 'WAITING\nFAIL', false],
  ['one id where one is shown twice', `${ID} ${ID}`, `${OTHER} ${OTHER}`, true],
  ['two ids where one is shown twice', `${ID} ${ID}`, `${OTHER} ${ID}`, false],
])('a page that was answered with %s', (_, shown, written, isSame) => {
  expect(isAsShown(shown, written, new Map())).toBe(isSame);
});

test('an id that was shown once stands for the real one from then on', () => {
  const real = new Map<string, string>();
  isAsShown(`{ "id": "${ID}" }`, `{"id":"${OTHER}"}`, real);
  expect(withRealIds(`query ${ID}`, real)).toBe(`query ${OTHER}`);
  expect(isAsShown(ID, OTHER, real)).toBe(true);
  expect(isAsShown(ID, ID, real)).toBe(false);
});
