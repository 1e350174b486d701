import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { databaseName } from '../store/connections.ts';
import { collectStatistics, openConnections } from '../store/open-connections.ts';
import { STORE_FILE } from '../store/sqlite/open.ts';
import { copyStore } from '../store/copy.ts';

/**
 * Copies the embedded store in a directory to an empty PostgreSQL database, which it migrates first. Throws an error that
 * says what to do when a gateway still uses the directory, or the database cannot be used or is not empty.
 */
export async function runCopy(dataDir: string, databaseUrl: string, stdout: Writable): Promise<void> {
  // Opened, a directory that is misspelt would be made, and found to hold nothing.
  if (!existsSync(join(dataDir, STORE_FILE)))
    throw new Error(
      `There is no store in ${dataDir}. Set --from to the DATA_DIR of the gateway that you stopped.`,
    );
  const options = { mayMigrate: true, onError: () => undefined };
  const from = await openConnections({ kind: 'sqlite', dataDir }, options);
  try {
    const to = await openConnections({ kind: 'postgres', url: databaseUrl, readers: 1 }, options);
    try {
      const { newestRevision, tasks } = await copyStore(from, to);
      await collectStatistics(to.writer);
      stdout.write(
        `Copied ${tasks} tasks up to revision ${newestRevision} from ${dataDir} to ${databaseName(databaseUrl)}, and verified the copy.\n` +
          'Start the gateway with DATABASE_URL from now on.\n',
      );
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}
