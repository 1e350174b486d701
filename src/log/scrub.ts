import { pino } from 'pino';

/** Replaces tokens and known secrets by `[redacted]`. Linear time for any text. */
export type Scrub = (text: string) => string;

/** Ignores secrets under 8 characters, which occur in ordinary texts. The others are found as they are and within JSON. */
export function createScrub(secrets: readonly string[]): Scrub {
  const hidden = secrets.filter((secret) => secret.length >= 8);
  const spellings = hidden.flatMap((secret) => [JSON.stringify(secret).slice(1, -1), secret]);
  const literals = [...new Set(spellings)];
  return (text) => {
    const scrubbed = MAY_HOLD_TOKEN.test(text) ? withoutTokens(text) : text;
    return literals.reduce((rest, literal) => rest.replaceAll(literal, '[redacted]'), scrubbed);
  };
}

/** Starts of the tokens below. Most lines have none, and one search costs a quarter of three. */
const MAY_HOLD_TOKEN = /\/webhooks\/kie\/|\bBearer |\beyJ/i;

function withoutTokens(text: string): string {
  return text
    .replace(/(\/webhooks\/kie\/[^/\s"\\?#]+\/)[^/\s"\\?#]+/g, '$1[redacted]')
    .replace(/(\bBearer +)[^\s"\\]{8,}/gi, '$1[redacted]')
    .replace(/[\w.-]+/g, withoutWebToken);
}

/** Shorter texts cannot be a token. */
const MIN_WEB_TOKEN = 16;

/**
 * JSON Web Tokens: three parts, and the header starts with {" in base64url. One regular expression for all parts would take
 * quadratic time for `-eyJ-eyJ-eyJ…`.
 */
function withoutWebToken(word: string): string {
  const start = word.search(/\beyJ/);
  if (start === -1) return word;
  const rest = word.slice(start);
  const isToken = rest.length >= MIN_WEB_TOKEN && rest.split('.', 3).length === 3;
  return isToken ? `${word.slice(0, start)}[redacted]` : word;
}

const MAX_MESSAGE = 1000;
const MAX_STACK = 8000;
/** Longest line. Longer ones have foreign values in nested members. */
const MAX_LINE = 16_384;
/** Text that is scrubbed before a cut, because a cut may leave half of a secret. */
const LOOK_AHEAD = 8192;

/** Makes foreign text in log lines short and printable: in the members of a line, in errors, and in a finished line. */
export function createTidy(scrub: Scrub) {
  function cut(text: string): string {
    return text.length <= MAX_TEXT ? excerpt(text) : excerpt(scrub(text.slice(0, LOOK_AHEAD)));
  }

  return {
    members(members: Record<string, unknown>): Record<string, unknown> {
      let changed: Record<string, unknown> | null = null;
      for (const [name, value] of Object.entries(members)) {
        if (typeof value !== 'string') continue;
        const text = cut(value);
        if (text !== value) changed = { ...(changed ?? members), [name]: text };
      }
      return changed ?? members;
    },
    error(error: unknown): unknown {
      if (!(error instanceof Error)) return error;
      const serialized = pino.stdSerializers.err(error);
      const message = excerptOfLines(scrub(serialized.message.slice(0, LOOK_AHEAD)), MAX_MESSAGE);
      const stack = excerptOfLines(scrub(serialized.stack.slice(0, 2 * LOOK_AHEAD)), MAX_STACK);
      return { ...serialized, message, stack };
    },
    line(line: string): string {
      if (line.length <= MAX_LINE) return line;
      const { level, time, msg, ...rest } = JSON.parse(line, shortened) as Record<string, unknown>;
      const short = JSON.stringify({ level, time, ...rest, msg });
      return `${short.length <= MAX_LINE ? short : JSON.stringify({ level, time, msg })}\n`;
    },
  };

  function shortened(_name: string, value: unknown): unknown {
    return typeof value === 'string' ? cut(value) : value;
  }
}

/** Longest foreign text in a member. */
const MAX_TEXT = 200;

/** Cuts foreign text and escapes control characters, line breaks and bidirectional marks. */
function excerpt(text: string, max = MAX_TEXT): string {
  if (text.length <= max && PLAIN.test(text)) return text;
  return escaped(beginning(text, max), ODD);
}

/** Like `excerpt`, but keeps line breaks: for messages and stacks of errors. */
function excerptOfLines(text: string, max: number): string {
  return escaped(beginning(text, max), ODD_BUT_LINE_BREAKS);
}

/** Matches most texts, and is several times faster than Unicode classes. */
const PLAIN = /^[\x20-\x7e]*$/;

const ODD = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const ODD_BUT_LINE_BREAKS = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

function beginning(text: string, max: number): string {
  // Never split a surrogate pair.
  return text.length > max ? `${text.slice(0, max).replace(/[\ud800-\udbff]$/, '')}…` : text;
}

function escaped(text: string, odd: RegExp): string {
  return text.replace(odd, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}
