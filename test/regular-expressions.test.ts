import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { createScrub } from '../src/log/scrub.ts';
import { superlinearGrowth } from './kit/growth.ts';
import { ROOT } from './kit/process.ts';

/**
 * Expressions that need more time than the text grows, and why nobody can use that. Every other one in src is measured.
 * A fixed expression is better than an entry.
 */
const EXEMPT: Readonly<Record<string, string>> = {
  "/'.*@/": 'The command line of whoever runs the program.',
  '/\\/\\/.*@/s': 'The environment of whoever runs the program.',
  '/\\/+$/': 'An address of the own configuration.',
};

/** Every regular expression literal below src, with where it stands; and every place that makes one of a string. */
function expressionsIn(directory: string) {
  const literals = new Map<string, string>();
  const made: string[] = [];
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue;
    const text = readFileSync(join(directory, path), 'utf8');
    const visit = (node: ts.Node): void => {
      if (ts.isRegularExpressionLiteral(node)) literals.set(node.text, path);
      if (makesExpression(node)) made.push(`${path}: ${node.getText()}`);
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  }
  return { literals, made };
}

function makesExpression(node: ts.Node): boolean {
  if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return false;
  if (/^(?:globalThis\.)?RegExp$/.test(node.expression.getText())) return true;
  // A string would become an expression.
  const [first] = node.arguments ?? [];
  return (
    ts.isPropertyAccessExpression(node.expression) &&
    /^(?:match|matchAll|search)$/.test(node.expression.name.text) &&
    first !== undefined &&
    ts.isStringLiteralLike(first)
  );
}

/** An expression as a function that goes through a whole text, as `replace` or `exec` does. */
function workOf(literal: string): (text: string) => unknown {
  const end = literal.lastIndexOf('/');
  const expression = new RegExp(literal.slice(1, end), literal.slice(end + 1));
  return expression.global ? (text) => text.replace(expression, '') : (text) => expression.exec(text);
}

const SPECIMENS = [
  '-eyJ',
  'eyJ',
  'Bearer ',
  '/webhooks/kie/',
  'Did you mean ',
  'https://',
  '://',
  '%',
  '\\u',
];
const CHARACTERS = Array.from(' \t\n-._/\\"\'%:;,@#?=+*&|()[]{}<>!aA0é雪');

/** The words that an expression looks for: what an attacker repeats. */
function wordsOf(literal: string): readonly string[] {
  const plain = literal
    .slice(1, literal.lastIndexOf('/'))
    .replace(/\\[wdsbpPDWSB](?:\{\w+\})?/g, '\0')
    .replace(/\\x[\da-f]{2}|\\u\{?[\da-f]+\}?/gi, '\0')
    .replace(/\\(.)/g, '$1');
  return plain.split(/[\0[\](){}|^$*+?]+/).filter((word) => word !== '' && word.length <= 100);
}

interface Recipe {
  readonly before: string;
  readonly repeated: string;
  readonly after: string;
}

/** Texts that may be hard: a beginning that fits, something that goes on for long, and an end that does not fit. */
function recipesFor(literal: string): readonly Recipe[] {
  const words = wordsOf(literal);
  const beginnings = new Set(['', words.join(''), ...words, ...words.map((word) => `a${word}`)]);
  const units = [...words, ...SPECIMENS, ...CHARACTERS];
  const repeated = new Set([
    ...units,
    ...words.flatMap((word) => [` ${word}`, `-${word}`, `${word}a`, `${word} a`]),
    words.join(''),
    words.join(' '),
  ]);
  return [...beginnings].flatMap((before) =>
    [...repeated].flatMap((unit) =>
      unit === '' ? [] : ['', '\0'].map((after) => ({ before, repeated: unit, after })),
    ),
  );
}

function textOf({ after, before, repeated }: Recipe): (length: number) => string {
  return (length) => before + repeated.repeat(Math.ceil(length / repeated.length)) + after;
}

/** How an expression, or another work on texts, can be made slow; empty when no recipe does. */
function slownessOf(work: (text: string) => unknown, recipes: readonly Recipe[]): string | null {
  for (const recipe of recipes) {
    const growth = superlinearGrowth(work, textOf(recipe));
    if (growth !== null) return `${JSON.stringify(recipe)}: ${growth}`;
  }
  return null;
}

describe('the regular expressions of the source', () => {
  const { literals, made } = expressionsIn(join(ROOT, 'src'));
  const measured = [...literals].filter(([literal]) => !(literal in EXEMPT));

  it.each(measured)('%s takes time in proportion to a text (%s)', (literal) => {
    expect(slownessOf(workOf(literal), recipesFor(literal))).toBeNull();
  });

  it('are literals, which this test can see', () => {
    expect(made).toEqual([]);
  });

  it('are exempt only as long as they are there', () => {
    expect(Object.keys(EXEMPT).filter((literal) => !literals.has(literal))).toEqual([]);
  });
});

describe('the search for secrets in the log', () => {
  it('takes time in proportion to a line', () => {
    const recipes = recipesFor('/eyJ|Bearer |\\/webhooks\\/kie\\/|\\./');
    expect(slownessOf(createScrub(['a-secret-of-ours']), recipes)).toBeNull();
  });
});

describe('the measurement above', () => {
  it.each([
    ['/\\beyJ[\\w-]{10,}\\.[\\w-]+\\.[\\w-]*/g'],
    ['/ ?Did you mean .*\\?$/s'],
    ['/^(a+)+$/'],
    ['/\\s+$/'],
    ['/<.*>/'],
  ])('finds that %s does not', (literal) => {
    expect(slownessOf(workOf(literal), recipesFor(literal))).not.toBeNull();
  });
});
