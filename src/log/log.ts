import { pino, type DestinationStream, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { createScrub, createTidy } from './scrub.ts';
import { standardOutput } from './output.ts';

export interface LogOptions {
  /** Lowest level that is logged: a level of pino, or `silent`. */
  readonly level: string;
  /** Readable lines, coloured on a terminal; otherwise one JSON object per line. */
  readonly pretty: boolean;
  /** Texts to redact everywhere. Texts under 8 characters are ignored. */
  readonly secrets?: readonly string[];
}

/** The logger. Replaces API keys, tokens and Authorization headers by `[redacted]`, and cuts long texts. */
export function createLog(options: LogOptions, destination: DestinationStream = standardOutput()): Logger {
  const scrub = createScrub(options.secrets ?? []);
  const tidy = createTidy(scrub);
  const stream = options.pretty ? prettified(destination) : destination;
  return pino(
    {
      level: options.level,
      timestamp: createTimestamp(),
      serializers: { err: tidy.error },
      formatters: { level: (label) => ({ level: label }), log: tidy.members },
      // On the finished line, because messages, stacks and provider texts may contain tokens too.
      hooks: { streamWrite: (line) => scrub(withoutSecretMembers(tidy.line(line))) },
    },
    stream,
  );
}

/** Members whose value is a secret, at any depth of a line. Foreign text contains no unescaped quote, so it never matches. */
const SECRET_MEMBER =
  /"(authorization|apiKey|kieApiKey|kieWebhookHmacKeys|token)":(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\])/gi;

function withoutSecretMembers(line: string): string {
  return line.replace(SECRET_MEMBER, '"$1":"[redacted]"');
}

/** pino's isoTime, cached per millisecond for thousands of lines a second. */
function createTimestamp(): () => string {
  let at = NaN;
  let text = '';
  return () => {
    const now = Date.now();
    if (now !== at) text = `,"time":"${new Date(now).toISOString()}"`;
    at = now;
    return text;
  };
}

function prettified(destination: DestinationStream): DestinationStream {
  const prettify = prettyFactory({
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
  // Not a transform stream, which could still buffer lines when the process exits.
  return {
    write: (line) => {
      destination.write(prettify(line));
    },
  };
}
