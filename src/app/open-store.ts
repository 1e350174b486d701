import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Connections } from '../store/connections.ts';
import { openConnections, type StoreLocation } from '../store/open-connections.ts';
import type { Cleanup } from './shutdown.ts';

/** Where the configuration keeps tasks. */
export function locationOf({
  databaseConnections,
  databaseListenUrl,
  databaseUrl,
  dataDir,
}: Config): StoreLocation {
  return databaseUrl === null
    ? { kind: 'sqlite', dataDir }
    : {
        kind: 'postgres',
        url: databaseUrl,
        listenUrl: databaseListenUrl,
        readers: databaseConnections,
      };
}

/** Opens the store, and takes DATA_DIR for this process wherever something is kept there. */
export async function openStore(
  config: Config,
  { cleanup, log }: { readonly cleanup: Cleanup; readonly log: Logger },
): Promise<Connections> {
  const location = locationOf(config);
  // The sandbox keeps its file there, which may not be touched while the directory belongs to another process.
  if (location.kind === 'postgres' && config.kieApiKey === null) {
    const { lockDataDir } = await import('../store/sqlite/data-dir.ts');
    cleanup.add(lockDataDir(config.dataDir));
  }
  const connections = await openConnections(location, {
    mayMigrate: config.migrate,
    onError: (error) => {
      log.warn({ err: error }, 'a connection to the database broke; another one is made');
    },
  });
  cleanup.add(() => connections.close());
  return connections;
}
