import { pino } from 'pino';
import { MAX_TEXT, excerpt, excerptOfLines } from './foreign-text.ts';
import type { Scrub } from './scrub.ts';

const MAX_MESSAGE = 1000;
const MAX_STACK = 8000;
/** Beyond what no line of ours has, however deep the values of others lie in it. */
const MAX_LINE = 16_384;
/** A secret that a cut would leave the first half of has to be found before. */
const LOOK_AHEAD = 8192;

/** Keeps lines of the log short and readable, whoever wrote what is in them. */
export interface Tidy {
  /** The members of a line, with their texts cut. */
  members(members: Record<string, unknown>): Record<string, unknown>;
  error(error: unknown): unknown;
  /** A finished line. */
  line(line: string): string;
}

export function createTidy(scrub: Scrub): Tidy {
  function cut(text: string): string {
    return text.length <= MAX_TEXT ? excerpt(text) : excerpt(scrub(text.slice(0, LOOK_AHEAD)));
  }

  return {
    members(members) {
      let changed: Record<string, unknown> | null = null;
      for (const [name, value] of Object.entries(members)) {
        if (typeof value !== 'string') continue;
        const text = cut(value);
        if (text !== value) changed = { ...(changed ?? members), [name]: text };
      }
      return changed ?? members;
    },
    error(error) {
      if (!(error instanceof Error)) return error;
      const told = pino.stdSerializers.err(error);
      const message = excerptOfLines(scrub(told.message.slice(0, LOOK_AHEAD)), MAX_MESSAGE);
      const stack = excerptOfLines(scrub(told.stack.slice(0, 2 * LOOK_AHEAD)), MAX_STACK);
      return { ...told, message, stack };
    },
    line(line) {
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
