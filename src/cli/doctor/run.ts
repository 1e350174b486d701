import type { Writable } from 'node:stream';
import { parseConfig, type Config, ConfigError, isOpen } from '../../config/config.ts';
import { askProvider, checkProvider } from './check-provider.ts';
import { checkAccess } from './check-access.ts';
import { checkClock } from './check-clock.ts';
import { checkConfiguration } from './check-configuration.ts';
import { checkDisk } from './check-disk.ts';
import { findingsOf, type Finding, inTime, renderFinding, renderJson, renderSummary } from './findings.ts';
import { EXIT, type ExitCode } from '../commands.ts';
import type { StoreReport } from './store-report.ts';
import { checkSignatures } from './check-signatures.ts';
import { checkWebsocket } from './check-websocket.ts';
import { openRoad } from './check-callbacks.ts';

export interface DoctorOptions {
  readonly isJson: boolean;
  readonly color: boolean;
}

/**
 * Checks an environment and everything that it names, changes nothing, and writes what was found, without any secret.
 * Returns with what the program shall end. Never rejects.
 */
export async function runDoctor(
  { color, isJson }: DoctorOptions,
  env: Readonly<Record<string, string | undefined>>,
  stdout: Writable,
): Promise<ExitCode> {
  const all: Finding[] = [];
  const tell = (findings: readonly Finding[]): void => {
    all.push(...findings);
    if (!isJson) for (const finding of findings) stdout.write(renderFinding(finding, color));
  };
  const config = configIn(env);
  if (config instanceof ConfigError) tell([findingsOf('configuration').failure(config.message, MEND)]);
  // In their order, each as soon as those before it are there; all were begun at once.
  else for (const check of begin(config)) tell(await check);
  stdout.write(isJson ? renderJson(all) : renderSummary(all));
  if (config instanceof ConfigError) return EXIT.config;
  return all.some(({ status }) => status === 'failure') ? EXIT.failed : EXIT.ok;
}

/** It waits for the store, and makes up to two requests before others, in ms. */
const ROAD_MS = 35_000;

const MEND = 'Each variable is explained in docs/configuration.md; until then nothing else is checked.';

function configIn(env: Readonly<Record<string, string | undefined>>): Config | ConfigError {
  try {
    return parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

function begin(config: Config): readonly Promise<readonly Finding[]>[] {
  const store = checkStore(config);
  const answer = askProvider(config);
  return [
    inTime('configuration', () => Promise.resolve(checkConfiguration(config))),
    store.then(({ findings }) => findings),
    inTime('disk', () => checkDisk(config)),
    inTime('provider', async () => [checkProvider(config, await answer)]),
    inTime('clock', async () => [checkClock(await answer)]),
    inTime('access', () => checkAccess(config)),
    inTime('public address', async () => checkRoad(config, await store), ROAD_MS),
  ];
}

/** Looks at the store, whichever it is. Never rejects. */
export async function checkStore(config: Config): Promise<StoreReport> {
  let report: StoreReport = { findings: [], callbackSecret: null, isInUse: false };
  const findings = await inTime('store', async () => {
    report = await look(config);
    return report.findings;
  });
  return { ...report, findings };
}

/** Each brings a driver, and that of the other one may not be installed. */
async function look(config: Config): Promise<StoreReport> {
  if (config.databaseUrl === null) {
    const { checkEmbeddedStore } = await import('./check-embedded-store.ts');
    return checkEmbeddedStore(config);
  }
  const { checkDatabase } = await import('./check-database.ts');
  return checkDatabase(config, config.databaseUrl);
}

/** Everything that comes through PUBLIC_URL: callbacks, sockets, signatures. */
export async function checkRoad(config: Config, store: StoreReport): Promise<readonly Finding[]> {
  const { publicUrl } = config;
  if (publicUrl === null) return withoutAddress(config);
  const { close, farEnd, finding } = await openRoad(config, publicUrl, store);
  try {
    const [sockets, signatures] = await Promise.all([
      inTime('WebSocket', async () =>
        farEnd === 'nobody'
          ? [findingsOf('WebSocket').skipped('not tried: the public address does not lead here')]
          : [await checkWebsocket(publicUrl, farEnd, !isOpen(config))],
      ),
      inTime('signatures', () => checkSignatures(config, publicUrl, farEnd, store.callbackSecret)),
    ]);
    return [finding, ...sockets, ...signatures];
  } finally {
    await close();
  }
}

function withoutAddress({ kieApiKey }: Config): readonly Finding[] {
  const why =
    kieApiKey === null
      ? 'the sandbox calls back on this machine'
      : 'PUBLIC_URL is not set: nobody calls back';
  return ['public address', 'WebSocket', 'signatures'].map((check) => findingsOf(check).skipped(why));
}
