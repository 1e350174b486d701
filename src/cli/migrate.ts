import type { Writable } from 'node:stream';
import { locationOf } from '../app/open-store.ts';
import { parseConfig } from '../config/config.ts';
import { migrateStore, pendingIn } from '../store/open-connections.ts';

/**
 * Migrates the store that the environment names to the schema of this version, or lists what that would run. Throws
 * ConfigError for a wrong environment, and an error that says what to do when the store cannot be opened.
 */
export async function runMigrate(
  isDryRun: boolean,
  env: Readonly<Record<string, string | undefined>>,
  stdout: Writable,
): Promise<void> {
  const location = locationOf(parseConfig(env));
  const names = await (isDryRun ? pendingIn(location) : migrateStore(location));
  const say = (line: string): boolean => stdout.write(`${line}\n`);
  if (names.length === 0) {
    say('The schema is up to date; there is nothing to do.');
    return;
  }
  say(isDryRun ? 'Pending migrations:' : 'Applied migrations:');
  for (const name of names) say(`  ${name}`);
}
