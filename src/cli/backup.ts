import type { Writable } from 'node:stream';
import { locationOf } from '../app/open-store.ts';
import { parseConfig } from '../config/config.ts';

/**
 * Copies the embedded store that the environment names to a file, also while a gateway runs on it. Throws ConfigError for a
 * wrong environment, and an error that says what to do when there is no such store or the file is there.
 */
export async function runBackup(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  stdout: Writable,
): Promise<void> {
  const location = locationOf(parseConfig(env));
  if (location.kind === 'postgres')
    throw new Error(
      'backup copies the SQLite database of a data directory, and DATABASE_URL names a PostgreSQL database. Use pg_dump for that: pg_dump --format=custom --file=kineograph.dump "$DATABASE_URL"',
    );
  const { backUpSqlite } = await import('../store/sqlite/backup.ts');
  const tasks = backUpSqlite(location.dataDir, file);
  stdout.write(
    `Backed up ${tasks === 1 ? '1 task' : `${tasks} tasks`} from ${location.dataDir} to ${file}, and verified the copy.\n` +
      `To restore it, stop the gateway, delete kineograph.db-wal and kineograph.db-shm, and copy it over kineograph.db.\n`,
  );
}
