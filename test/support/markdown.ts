import GithubSlugger from 'github-slugger';
import MarkdownIt, { type Token } from 'markdown-it';
import { readFileSync } from 'node:fs';
import { ROOT } from './process.ts';

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
