import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { parseConfig, type Config } from '../../config/config.ts';
import { ConfigError } from '../../config/config-error.ts';
import { VERSION } from '../../version.ts';
import { askProvider } from '../ask-provider.ts';
import { checkArchive } from './archive.ts';
import { checkPublicUrl } from './callbacks.ts';
import { findingsOf, type Finding, inTime, type Status, type StoreReport } from './findings.ts';
import { checkClock, checkProvider } from './provider.ts';
import { checkAccess, checkConfiguration, checkDisk } from './settings.ts';

interface DoctorOptions {
  readonly isJson: boolean;
  readonly color: boolean;
}

/**
 * Checks an environment and what it refers to, changes nothing, and writes its findings without any secret. Returns the
 * worst of them; `'config'` when the environment is wrong, and nothing else was checked. Never rejects.
 */
export async function runDoctor(
  { color, isJson }: DoctorOptions,
  env: Readonly<Record<string, string | undefined>>,
  stdout: Writable,
): Promise<'ok' | 'warning' | 'failure' | 'config'> {
  const all: Finding[] = [];
  const tell = (findings: readonly Finding[]): void => {
    all.push(...findings);
    if (!isJson) for (const finding of findings) stdout.write(render(finding, color));
  };
  const config = configIn(env);
  if (config instanceof ConfigError)
    tell([
      findingsOf('configuration').failure(
        config.message,
        'Each variable is explained in docs/configuration.md. Nothing else is checked until the settings are valid.',
      ),
    ]);
  // All checks run at once; their findings are written in this order.
  else for (const check of start(config)) tell(await check);
  const [failures, warnings] = [countOf(all, 'failure'), countOf(all, 'warning')];
  const status = failures > 0 ? 'failure' : warnings > 0 ? 'warning' : 'ok';
  stdout.write(
    isJson
      ? `${JSON.stringify({ version: VERSION, status, findings: all }, null, 2)}\n`
      : `\n${failures === 0 ? 'Nothing failed' : `${failures} failed`}; ${warnings === 1 ? '1 warning' : `${warnings} warnings`}.\n`,
  );
  return config instanceof ConfigError ? 'config' : status;
}

function configIn(env: Readonly<Record<string, string | undefined>>): Config | ConfigError {
  try {
    return parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** The public address is checked after the store, with up to three requests, one after the other. */
const PUBLIC_URL_MS = 30_000;

function start(config: Config): readonly Promise<readonly Finding[]>[] {
  const store = checkStore(config);
  const answer = askProvider(config, '/api/v1/chat/credit');
  return [
    inTime('configuration', () => Promise.resolve(checkConfiguration(config))),
    store.then(({ findings }) => findings),
    inTime('disk', () => checkDisk(config)),
    inTime('archive', async () => [await checkArchive(config)]),
    inTime('provider', async () => [checkProvider(config, await answer)]),
    inTime('clock', async () => [checkClock(await answer)]),
    inTime('access', () => checkAccess(config)),
    inTime('public address', async () => checkPublicUrl(config, await store), PUBLIC_URL_MS),
  ];
}

/** Loads only the driver that is needed: the other one may not be installed. Never rejects. */
async function checkStore(config: Config): Promise<StoreReport> {
  let report: StoreReport = { findings: [], callbackSecret: null, isInUse: false };
  const findings = await inTime('store', async () => {
    if (config.databaseUrl === null) report = await (await import('./sqlite.ts')).checkSqlite(config);
    else report = await (await import('./postgres.ts')).checkPostgres(config, config.databaseUrl);
    return report.findings;
  });
  return { ...report, findings };
}

const COLORS = { ok: 'green', skipped: 'dim', warning: 'yellow', failure: 'red' } as const;
const STATUS_WIDTH = 9;
const CHECK_WIDTH = 16;

function render({ check, mend, message, status }: Finding, color: boolean): string {
  const padded = status.padEnd(STATUS_WIDTH);
  // The caller has decided about colour, not the stream.
  const shown = color ? styleText(COLORS[status], padded, { validateStream: false }) : padded;
  const lines = [...message.split('\n'), ...(mend === null ? [] : [`-> ${mend}`])];
  return `${shown}${check.padEnd(CHECK_WIDTH)}${lines.join(`\n${' '.repeat(STATUS_WIDTH + CHECK_WIDTH)}`)}\n`;
}

function countOf(findings: readonly Finding[], status: Status): number {
  return findings.filter((finding) => finding.status === status).length;
}
