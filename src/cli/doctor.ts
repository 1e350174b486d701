import type { Writable } from 'node:stream';
import { parseConfig, type Config, ConfigError } from '../config/config.ts';
import { askProvider } from './doctor/ask-provider.ts';
import { checkAccess } from './doctor/check-access.ts';
import { checkClock } from './doctor/check-clock.ts';
import { checkConfiguration } from './doctor/check-configuration.ts';
import { checkDisk } from './doctor/check-disk.ts';
import { checkProvider } from './doctor/check-provider.ts';
import { checkRoad } from './doctor/check-road.ts';
import { checkStore } from './doctor/check-store.ts';
import { findingsOf, type Finding } from './doctor/finding.ts';
import { inTime } from './doctor/in-time.ts';
import { renderFinding, renderJson, renderSummary } from './doctor/report.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

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
