import GithubSlugger from 'github-slugger';
import MarkdownIt, { type Token } from 'markdown-it';
import { readFileSync } from 'node:fs';
import { ROOT } from './process.ts';

/** What pages show for what differs with each run. Those that are bound mean the same wherever they come again. */
const VARIABLE: readonly { readonly shown: string; readonly standsFor: string; readonly isBound?: true }[] = [
  { shown: '…', standsFor: '.*' },
  // A task moves on by itself, and whoever watches it may miss states in between.
  {
    shown: '(?:(?:WAITING|QUEUING|GENERATING) ?)+',
    standsFor: '(?:(?:WAITING|QUEUING|GENERATING) ?)*',
  },
  { shown: String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`, standsFor: String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z` },
  { shown: String.raw`127\.0\.0\.1:\d+`, standsFor: String.raw`127\.0\.0\.1:\d+` },
  // Ids of tasks and of files, the provider's ids, cursors and tokens.
  {
    shown: String.raw`[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}`,
    standsFor: String.raw`[\da-f-]{36}`,
    isBound: true,
  },
  { shown: String.raw`task_hailuo_\w+`, standsFor: String.raw`task_hailuo_\w+`, isBound: true },
  { shown: String.raw`[\w-]{43,}`, standsFor: String.raw`[\w-]{43,}`, isBound: true },
  // A task that skips a state takes a revision less.
  { shown: String.raw`"revision":\d+`, standsFor: String.raw`"revision":\d+` },
  // Sizes, and times in ms.
  { shown: String.raw`\d{5,}`, standsFor: String.raw`\d+` },
];

const ANY = new RegExp(`(${VARIABLE.map(({ shown }) => shown).join('|')})`);

/**
 * Whether a program wrote what a page shows, apart from white space and from what differs with each run. What stands in
 * the place of an id is written into `real`, under the id that the page shows.
 */
export function isAsShown(shown: string, written: string, real: Map<string, string>): boolean {
  const groups: string[] = [];
  const pattern = evenly(shown)
    .split(ANY)
    .map((part, index) => (index % 2 === 0 ? escape(part) : patternOf(part, groups, real)))
    .join('');
  const match = new RegExp(`^${pattern}$`).exec(evenly(written));
  groups.forEach((id, index) => {
    const found = match?.[index + 1];
    if (found !== undefined) real.set(id, found);
  });
  return match !== null;
}

/** The text with the page's ids replaced by the real ones. */
export function withRealIds(text: string, real: ReadonlyMap<string, string>): string {
  return [...real].reduce((changed, [id, found]) => changed.replaceAll(id, found), text);
}

function patternOf(part: string, groups: string[], real: ReadonlyMap<string, string>): string {
  const known = real.get(part);
  if (known !== undefined) return escape(known);
  const variable = VARIABLE.find(({ shown }) => new RegExp(`^${shown}$`).test(part));
  if (!variable?.isBound) return variable?.standsFor ?? escape(part);
  const earlier = groups.indexOf(part);
  if (earlier >= 0) return `(?:\\${earlier + 1})`;
  groups.push(part);
  return `(${variable.standsFor})`;
}

/** JSON in one line is the same as JSON in many. */
function evenly(text: string): string {
  return text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/ ?([{}[\],:…]) ?/g, '$1');
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

/** A fenced block of a page. */
export interface Block {
  /** Where it begins, to be clicked on: `docs/graphql.md:12`. */
  readonly place: string;
  readonly language: string;
  /** What follows the language, which readers do not see. */
  readonly words: string;
  readonly text: string;
}

/** A page of Markdown as GitHub shows it. */
export interface Page {
  readonly blocks: readonly Block[];
  /** Where its links and images lead. */
  readonly links: readonly string[];
  /** What links may name behind `#`. */
  readonly anchors: ReadonlySet<string>;
}

/** Reads a page; `path` is relative to the project's directory. */
export function readPage(path: string): Page {
  const tokens = new MarkdownIt().parse(readFileSync(`${ROOT}${path}`, 'utf8'), {});
  const inline = tokens.flatMap(({ children }) => children ?? []);
  const slugger = new GithubSlugger();
  return {
    blocks: tokens.filter(({ type }) => type === 'fence').map((token) => blockOf(path, token)),
    links: inline
      .map((token) => token.attrGet('href') ?? token.attrGet('src'))
      .filter((to) => typeof to === 'string'),
    anchors: new Set(tokens.flatMap((token, index) => headingOf(token, tokens[index + 1], slugger))),
  };
}

function blockOf(path: string, { content, info, map }: Token): Block {
  const [language = '', ...words] = info.trim().split(/\s+/);
  return { place: `${path}:${(map?.[0] ?? 0) + 1}`, language, words: words.join(' '), text: content };
}

function headingOf({ type }: Token, next: Token | undefined, slugger: GithubSlugger): string[] {
  if (type !== 'heading_open') return [];
  return [slugger.slug((next?.children ?? []).map(({ content }) => content).join(''))];
}
