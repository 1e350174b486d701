import { pino, type DestinationStream, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { createScrub, createTidy } from './scrub.ts';
import { standardOutput } from './output.ts';

export interface LogOptions {
  /** The least important level to write: a name of pino's, or `silent`. */
  readonly level: string;
  /** Lines for people, in colour on a terminal; else one JSON object per line. */
  readonly pretty: boolean;
  /** Texts that must never appear, wherever they turn up. Those under 8 characters are ignored. */
  readonly secrets?: readonly string[];
}

const SECRET_MEMBERS = [
  'authorization',
  'Authorization',
  'apiKey',
  'kieApiKey',
  'kieWebhookHmacKeys',
  'token',
];

/**
 * The logger of the process, on stdout unless told otherwise. Authorization headers, API keys, tokens of callers and of
 * callbacks are replaced by `[redacted]`. Texts are cut, since anybody may have written them.
 */
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
      redact: {
        paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: '[redacted]',
      },
      // The last gate, on the finished line: tokens also travel in messages, stacks and echoes of the provider.
      hooks: { streamWrite: (line) => scrub(tidy.line(line)) },
    },
    stream,
  );
}

/**
 * The same log for lines that come by the thousand and have no member of a secret name: to look for those costs more than
 * the rest of a line. Known secrets and tokens are found in them all the same.
 */
export function withoutRedaction(log: Logger): Logger {
  return log.child({}, { redact: [] });
}

/** What pino's own isoTime writes, made once for all lines of a millisecond: at thousands of lines a second it shows. */
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
  // No transform stream in between: it could still hold lines when the process exits.
  return {
    write: (line) => {
      destination.write(prettify(line));
    },
  };
}
