import closeWithGrace from 'close-with-grace';
import type { WriteStream } from 'node:tty';
import { startApp, type App } from '../app/create-app.ts';
import { archiveKind } from '../app/open-archive.ts';
import { parseConfig, type Config } from '../config/config.ts';
import { createLog } from '../log/log.ts';
import { databaseName } from '../store/connections.ts';
import { VERSION } from '../version.ts';
import { banner, describeAccess, describeVideos, type BannerFacts } from './banner.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** How much longer than draining and waiting for create calls a clean stop may take before it is cut, in ms. */
const STOP_MARGIN_MS = 10_000;

/**
 * Runs the gateway until SIGTERM or SIGINT; a second signal ends the process at once. Throws ConfigError for a wrong
 * environment, and an error that says what to do when the port or the data directory cannot be had.
 */
export async function serve(env: Environment, stdout: WriteStream): Promise<void> {
  const config = parseConfig(env);
  const isTerminal = stdout.isTTY;
  const secrets = secretsOf(config);
  const log = createLog({ level: config.logLevel, pretty: isTerminal, secrets });
  const { host, port } = config;
  const app = await startApp(config, { log }).catch(
    explainPort(host, port, `PORT=${port + 1}, or PORT=0 for any`),
  );
  app.checkAccount();
  if (archiveKind(config) === 'off' && config.kieApiKey !== null)
    log.warn('no copies of videos are kept, and kie.ai deletes them after days; ARCHIVE turns copies on');
  const delay = config.drainDelayMs + config.shutdownMs + STOP_MARGIN_MS;
  closeWithGrace({ delay, logger: log, skip: [...CRASH_SIGNALS] }, async ({ err, signal }) => {
    if (err) log.fatal({ err }, 'an error that nobody handled; the process stops');
    else log.info({ signal }, 'stopping');
    // Who goes on with an error that nobody handled takes what it may lose.
    await app.close({ drains: !err });
    log.info('stopped');
  });
  if (isTerminal) stdout.write(banner(factsOf(config, app, env)));
  else
    log.info(
      { version: VERSION, url: app.url, upstream: app.upstream, publicUrl: app.publicUrl },
      'listening',
    );
}

/** Everything of the configuration that must never be written out. */
function secretsOf(config: Config): string[] {
  const {
    apiKeys,
    awsSecretAccessKey,
    awsSessionToken,
    databaseListenUrl,
    databaseUrl,
    httpProxy,
    httpsProxy,
  } = config;
  const { jwtSecret, kieApiKey, kieWebhookHmacKeys, metricsToken } = config;
  const urls = [databaseUrl, databaseListenUrl, httpProxy, httpsProxy].filter((url) => url !== null);
  return [
    kieApiKey ?? '',
    ...kieWebhookHmacKeys,
    ...apiKeys.map(({ key }) => key),
    ...jwtSecret,
    metricsToken ?? '',
    awsSecretAccessKey ?? '',
    awsSessionToken ?? '',
    ...urls.map((url) => new URL(url).password).flatMap((password) => [password, decoded(password)]),
  ];
}

/** As it is where a percent sign stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function factsOf(config: Config, { port, publicUrl, upstream }: App, env: Environment): BannerFacts {
  const { databaseUrl, dataDir, graphiql, host } = config;
  const color = env['NO_COLOR'] === undefined;
  const store = databaseUrl === null ? `SQLite in ${dataDir}` : `PostgreSQL at ${databaseName(databaseUrl)}`;
  const [access, videos] = [describeAccess(config), describeVideos(config)];
  const facts = { version: VERSION, host, port, publicUrl, graphiql, color };
  return { ...facts, provider: upstream, store, videos, access };
}

/** For a `catch`: says of an address that cannot be listened on what to do; passes every other error on. */
export function explainPort(host: string, port: number, otherPorts: string): (error: unknown) => never {
  return (error) => {
    const explain = EXPLANATIONS[codeOf(error)];
    if (!explain) throw error;
    throw new Error(explain(host, port, otherPorts), { cause: error });
  };
}

type Explain = (host: string, port: number, otherPorts: string) => string;

const noSuchHost: Explain = (host) =>
  `HOST=${host} is no address of this machine. Set HOST to one of its own, to 127.0.0.1 (this machine alone) or to 0.0.0.0 (all of its addresses).`;

const EXPLANATIONS: Readonly<Record<string, Explain>> = {
  EADDRINUSE: (host, port, otherPorts) =>
    `port ${port} on ${host} is in use. Stop what listens there, or choose another: ${otherPorts}.`,
  EACCES: (host, port) =>
    `this user may not listen on port ${port} of ${host}. Choose a PORT from 1024 on and put a proxy in front, or allow it (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE).`,
  EADDRNOTAVAIL: noSuchHost,
  ENOTFOUND: noSuchHost,
  EAI_AGAIN: (host) => `HOST=${host} cannot be looked up: DNS does not answer. Set HOST to an IP address.`,
};

/** Of an error of listening, or of looking up where; files fail with the same codes. */
function codeOf(error: unknown): string {
  const isOurs =
    error instanceof Error && 'syscall' in error && /^(listen|getaddrinfo)$/.test(String(error.syscall));
  return isOurs && 'code' in error ? String(error.code) : '';
}

/**
 * What native code raises when it crashes; to be left alone. With a handler in JavaScript the process does not end but
 * meets the same fault again and again.
 */
export const CRASH_SIGNALS = ['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGTRAP'] as const;
