import type { Writable } from 'node:stream';
import { locationOf } from '../app/open-store.ts';
import { parseConfig } from '../config.ts';
import { migrateStore, pendingIn } from '../store/migrate-store.ts';

/**
 * Brings the store that the environment names to the form that this version needs, or says what that would do. Throws
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
    say('The store has the form that this version needs; nothing is to be done.');
    return;
  }
  say(isDryRun ? 'These migrations would be run:' : 'These migrations were run:');
  for (const name of names) say(`  ${name}`);
}
