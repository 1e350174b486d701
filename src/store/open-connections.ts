import type { Connections } from './connections.ts';
import { assertMigrated, migrate } from './migrate.ts';
import { openPostgres } from './postgres.ts';
import { openSqlite } from './sqlite.ts';

/** Where tasks are kept. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly dataDir: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly readers: number };

export interface OpenOptions {
  /** Whether the store may be brought to the form that this program works with; else it has to have it. */
  readonly mayMigrate: boolean;
  /** Told of connections that break while nobody uses them. */
  readonly onError: (error: unknown) => void;
}

/**
 * Opens a store of the form that this program works with. Rejects with StoreFormError when it has another one, and with
 * an error that says what to do when it cannot be opened.
 */
export async function openConnections(location: StoreLocation, options: OpenOptions): Promise<Connections> {
  const { mayMigrate, onError } = options;
  const bring = mayMigrate ? migrate : assertMigrated;
  return location.kind === 'sqlite'
    ? openSqlite(location.dataDir, (writer) => bring(writer, 'sqlite'))
    : openPostgres({ ...location, onError, prepare: (writer) => bring(writer, 'postgres') });
}
