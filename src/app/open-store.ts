import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Connections } from '../store/connections.ts';
import { openConnections, type StoreLocation } from '../store/open-connections.ts';
import { openServerClock } from '../store/server-clock.ts';
import { systemClock, type Clock } from '../tasks/clock.ts';
import type { Cleanup } from './shutdown.ts';

/** The database that the configuration names. */
export function locationOf(config: Config): StoreLocation {
  const { databaseConnections, databaseListenUrl, databaseUrl, dataDir } = config;
  if (databaseUrl === null) return { kind: 'sqlite', dataDir };
  return { kind: 'postgres', url: databaseUrl, listenUrl: databaseListenUrl, readers: databaseConnections };
}

/** Opens the store, and locks DATA_DIR if this process writes to it. Replicas share the clock of the database server. */
export async function openStore(
  config: Config,
  options: { readonly log: Logger; readonly cleanup: Cleanup; readonly clock: Clock | undefined },
): Promise<{ readonly connections: Connections; readonly clock: Clock }> {
  const { cleanup, log } = options;
  const location = locationOf(config);
  // The sandbox keeps its state in DATA_DIR. SQLite locks the directory by itself.
  if (location.kind === 'postgres' && config.kieApiKey === null) {
    const { lockDataDir } = await import('../store/sqlite/data-dir.ts');
    cleanup.add(lockDataDir(config.dataDir));
  }
  const connections = await openConnections(location, {
    mayMigrate: config.migrate,
    onError: (error) => {
      log.warn({ err: error }, 'lost a database connection; opening another one');
    },
  });
  cleanup.add(() => connections.close());
  if (options.clock) return { connections, clock: options.clock };
  if (connections.isExclusive) return { connections, clock: systemClock };
  const clock = await openServerClock(connections.reader);
  cleanup.add(clock.stop);
  return { connections, clock };
}
