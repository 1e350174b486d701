import { pino, type DestinationStream, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { standardOutput } from './log/standard-output.ts';

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
 * The logger of the process, on stdout unless told otherwise. Authorization headers, API keys and callback tokens are
 * replaced by `[redacted]`; so are tokens of callers.
 */
export function createLog(options: LogOptions, destination: DestinationStream = standardOutput()): Logger {
  const stream = options.pretty ? prettified(destination) : destination;
  return pino(
    {
      level: options.level,
      timestamp: createTimestamp(),
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: '[redacted]',
      },
      // The last gate, on the finished line: tokens also travel in messages, stacks and echoes of the provider.
      hooks: { streamWrite: createScrubber(options.secrets ?? []) },
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
  const prettify = prettyFactory({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' });
  // No transform stream in between: it could still hold lines when the process exits.
  return {
    write: (line) => {
      destination.write(prettify(line));
    },
  };
}

function createScrubber(secrets: readonly string[]): (line: string) => string {
  const literals = secrets
    .filter((secret) => secret.length >= 8)
    .map((secret) => JSON.stringify(secret).slice(1, -1));
  return (line) => {
    const scrubbed = MAY_HOLD_TOKEN.test(line) ? withoutTokens(line) : line;
    return literals.reduce((text, literal) => text.replaceAll(literal, '[redacted]'), scrubbed);
  };
}

/** How the tokens below begin: most lines hold none, and looking once costs a quarter of looking for each. */
const MAY_HOLD_TOKEN = /\/webhooks\/kie\/|\bBearer |\beyJ/i;

function withoutTokens(line: string): string {
  return (
    line
      .replace(/(\/webhooks\/kie\/[^/\s"\\?#]+\/)[^/\s"\\?#]+/g, '$1[redacted]')
      .replace(/(\bBearer +)[^\s"\\]{8,}/gi, '$1[redacted]')
      // JSON Web Tokens: the header of every one begins with {" in base64url.
      .replace(/\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*/g, '[redacted]')
  );
}
