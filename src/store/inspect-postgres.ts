import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Database } from './database.ts';
import { createPostgresPool } from './postgres-pool.ts';
import { readStoreFacts, type StoreFacts } from './store-facts.ts';

export interface PostgresFacts extends StoreFacts {
  /** Of the server, such as `18.4`. */
  readonly version: string;
  /** The quickest of a few statements there and back, in ms. */
  readonly roundTripMs: number;
  /** How much the server's clock is ahead of ours, in ms, as exactly as half a round trip. */
  readonly clockAheadMs: number;
}

const TRIPS = 5;

/** Looks into a PostgreSQL database and changes nothing. Rejects with what pg says when it cannot be reached. */
export async function inspectPostgres(url: string): Promise<PostgresFacts> {
  const pool = createPostgresPool({ url, size: 1, onError: () => undefined });
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  try {
    const { rows } = await sql<{ server_version: string }>`show server_version`.execute(db);
    const trips: Trip[] = [];
    for (let count = 0; count < TRIPS; count += 1) trips.push(await tripTo(db));
    const quickest = trips.reduce((best, trip) => (trip.roundTripMs < best.roundTripMs ? trip : best));
    const [version = ''] = rows[0]?.server_version.split(' ') ?? [];
    return { ...quickest, version, ...(await readStoreFacts(db, 'postgres')) };
  } finally {
    await db.destroy();
  }
}

type Trip = Pick<PostgresFacts, 'roundTripMs' | 'clockAheadMs'>;

async function tripTo(db: Kysely<Database>): Promise<Trip> {
  const sentAt = Date.now();
  const start = performance.now();
  const query = sql<{ ms: string }>`select extract(epoch from clock_timestamp()) * 1000 as ms`;
  const { rows } = await query.execute(db);
  const roundTripMs = performance.now() - start;
  return { roundTripMs, clockAheadMs: Number(rows[0]?.ms) - (sentAt + roundTripMs / 2) };
}
