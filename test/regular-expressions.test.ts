import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { createScrub } from '../src/log/scrub.ts';
import { superlinearGrowth } from './kit/growth.ts';
import { ROOT } from './kit/process.ts';

/** Expressions that need more time than the text grows, and why nobody can use that. Every other one in src is measured. */
const EXEMPT: Readonly<Record<string, string>> = {
  "/'.*@/": 'The command line of whoever runs the program.',
  '/\\/\\/.*@/s': 'The environment of whoever runs the program.',
  '/\\/+$/': 'An address of the own configuration.',
};

// Literals, and every place that makes an expression of a string.
const LITERALS = new Set<string>();
const MADE: string[] = [];
for (const path of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
  if (!path.endsWith('.ts')) continue;
  const text = readFileSync(join(ROOT, 'src', path), 'utf8');
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) LITERALS.add(node.text);
    if (makesExpression(node)) MADE.push(`${path}: ${node.getText()}`);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
}

function makesExpression(node: ts.Node): boolean {
  if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return false;
  const { arguments: [first] = [], expression } = node;
  if (/^(?:globalThis\.)?RegExp$/.test(expression.getText())) return true;
  const isSearch =
    ts.isPropertyAccessExpression(expression) && /^(?:match|matchAll|search)$/.test(expression.name.text);
  return isSearch && first !== undefined && ts.isStringLiteralLike(first);
}

/** An expression as a function that goes through a whole text, as `replace` or `exec` does. */
function workOf(literal: string): (text: string) => unknown {
  const end = literal.lastIndexOf('/');
  const expression = new RegExp(literal.slice(1, end), literal.slice(end + 1));
  return expression.global ? (text) => text.replace(expression, '') : (text) => expression.exec(text);
}

const UNITS = [
  ...['-eyJ', 'eyJ', 'Bearer ', '/webhooks/kie/', 'Did you mean ', 'https://', '://', '\\u'],
  ...Array.from(' \t\n-._/\\"\'%:;,@#?=+*&|()[]{}<>!aA0é雪'),
];

/** Texts that may be hard: a beginning that fits, something that goes on for long, and an end that does not fit. */
function recipesFor(literal: string) {
  const plain = literal
    .slice(1, literal.lastIndexOf('/'))
    .replace(/\\[wdsbpPDWSB](?:\{\w+\})?/g, '\0')
    .replace(/\\x[\da-f]{2}|\\u\{?[\da-f]+\}?/gi, '\0')
    .replace(/\\(.)/g, '$1');
  const words = plain.split(/[\0[\](){}|^$*+?]+/).filter((word) => word !== '' && word.length <= 100);
  const beginnings = new Set(['', words.join(''), ...words, ...words.map((word) => `a${word}`)]);
  const ofWords = words.flatMap((word) => [word, ` ${word}`, `-${word}`, `${word}a`, `${word} a`]);
  const repeated = new Set([...UNITS, ...ofWords, words.join(''), words.join(' ')]);
  repeated.delete('');
  return [...beginnings].flatMap((before) =>
    [...repeated].flatMap((unit) => ['', '\0'].map((after) => ({ before, unit, after }))),
  );
}

/** Quadratic work on so many characters takes several milliseconds, linear work a small part of one. */
const LONG = 8192;
const SUSPICIOUS_MS = 1;

/** How an expression, or another work on texts, can be made slow; null when no recipe does. Only what seems slow is measured. */
function slownessOf(work: (text: string) => unknown, recipes: ReturnType<typeof recipesFor>): string | null {
  for (const { after, before, unit } of recipes) {
    const textOf = (length: number): string => before + unit.repeat(Math.ceil(length / unit.length)) + after;
    const begun = process.cpuUsage();
    // Exponential work would not come to the end of the long text.
    for (const length of [24, LONG]) {
      work(textOf(length));
      const { system, user } = process.cpuUsage(begun);
      if (system + user < SUSPICIOUS_MS * 1000) continue;
      const growth = superlinearGrowth(work, textOf);
      if (growth !== null) return `${JSON.stringify({ before, unit, after })}: ${growth}`;
    }
  }
  return null;
}

it.each([...LITERALS].filter((literal) => !(literal in EXEMPT)))(
  '%s takes time in proportion to a text',
  (literal) => {
    expect(slownessOf(workOf(literal), recipesFor(literal))).toBeNull();
  },
);

it('the expressions of the source are literals, which this test can see, and exempt only while they are there', () => {
  expect(MADE).toEqual([]);
  expect(Object.keys(EXEMPT).filter((literal) => !LITERALS.has(literal))).toEqual([]);
});

it('the search for secrets in the log takes time in proportion to a line', () => {
  expect(
    slownessOf(createScrub(['a-secret-of-ours']), recipesFor('/eyJ|Bearer |\\/webhooks\\/kie\\/|\\./')),
  ).toBeNull();
});

it.each(['/\\beyJ[\\w-]{10,}\\.[\\w-]+\\.[\\w-]*/g', '/ ?Did you mean .*\\?$/s', '/^(a+)+$/', '/\\s+$/'])(
  'the measurement above finds that %s does not',
  (literal) => {
    expect(slownessOf(workOf(literal), recipesFor(literal))).not.toBeNull();
  },
);
