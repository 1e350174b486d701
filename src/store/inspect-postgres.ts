import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Database } from './database.ts';
import { createPostgresPool } from './postgres-pool.ts';
import { keepsSession } from './postgres-session.ts';
import { measureClock, type ClockTrip } from './server-clock.ts';
import { readStoreFacts, type StoreFacts } from './store-facts.ts';
import { tryConnections, tryMigrating, tryWrites } from './try-postgres.ts';

export interface PostgresFacts extends StoreFacts {
  /** Of the server, such as `18.4`. */
  readonly version: string;
  /** The quickest of a few statements there and back, in ms. */
  readonly roundTripMs: number;
  /** How much the server's clock is ahead of ours, in ms, as exactly as half a round trip. */
  readonly clockAheadMs: number;
  /** Why a gateway could not write there, or migrate the store where it may and has to; null when it could. */
  readonly obstacle: { readonly error: unknown } | null;
  /** How many connections a gateway needs, how many could be had at once, and why not more. */
  readonly connections: { readonly needed: number; readonly had: number; readonly error: unknown };
  /** Whether notifications arrive and migrations can be run. */
  readonly keepsSession: boolean;
}

export interface InspectOptions {
  readonly url: string;
  readonly listenUrl: string | null;
  readonly readers: number;
  readonly mayMigrate: boolean;
}

const TRIPS = 5;

/** Tries what a gateway does with a database, and changes nothing. Rejects with what pg says when it cannot be reached. */
export async function inspectPostgres(options: InspectOptions): Promise<PostgresFacts> {
  const facts = await lookInto(options);
  const { listenUrl, readers, url } = options;
  // One more writes, and one listens.
  const needed = readers + 2;
  const connections = { needed, ...(await tryConnections(url, needed)) };
  return { ...facts, connections, keepsSession: await keepsSession(listenUrl ?? url) };
}

async function lookInto({
  mayMigrate,
  url,
}: InspectOptions): Promise<Omit<PostgresFacts, 'connections' | 'keepsSession'>> {
  const pool = createPostgresPool({ url, size: 1, onError: () => undefined });
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  try {
    const { rows } = await sql<{ server_version: string }>`show server_version`.execute(db);
    const trips: ClockTrip[] = [];
    for (let count = 0; count < TRIPS; count += 1) trips.push(await measureClock(db, Date.now));
    const quickest = trips.reduce((best, trip) => (trip.roundTripMs < best.roundTripMs ? trip : best));
    const [version = ''] = rows[0]?.server_version.split(' ') ?? [];
    const { aheadMs: clockAheadMs, roundTripMs } = quickest;
    const facts = await readStoreFacts(db, 'postgres');
    return {
      clockAheadMs,
      roundTripMs,
      version,
      ...facts,
      obstacle: await obstacleIn(db, facts, mayMigrate),
    };
  } finally {
    await db.destroy();
  }
}

async function obstacleIn(
  db: Kysely<Database>,
  { pending }: StoreFacts,
  mayMigrate: boolean,
): Promise<PostgresFacts['obstacle']> {
  try {
    if (pending.length > 0 && mayMigrate) await tryMigrating(db);
    if (pending.length === 0) await tryWrites(db);
    return null;
  } catch (error) {
    return { error };
  }
}
