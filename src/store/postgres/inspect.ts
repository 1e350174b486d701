import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Database } from '../schema.ts';
import { createPostgresPool, keepsSession, CONNECTION } from './pool.ts';
import { measureClock, type ClockTrip } from '../server-clock.ts';
import { readStoreFacts, type StoreFacts } from '../stats.ts';
import { Client, DatabaseError } from 'pg';
import { notifyOfCommit } from './listener.ts';

export interface PostgresFacts extends StoreFacts {
  /** The server version, such as `18.4`. */
  readonly version: string;
  /** The shortest of a few round trips, in ms. */
  readonly roundTripMs: number;
  /** How much the server's clock is ahead of ours, in ms. May be wrong by half a round trip. */
  readonly clockAheadMs: number;
  /** Why a gateway could not write, or not migrate if it must; null if it could. */
  readonly obstacle: { readonly error: unknown } | null;
  /** How many connections a gateway needs, how many could be opened at once, and why not more. */
  readonly connections: { readonly needed: number; readonly had: number; readonly error: unknown };
  /** Whether LISTEN and migrations work over this connection. */
  readonly keepsSession: boolean;
}

interface InspectOptions {
  readonly url: string;
  readonly listenUrl: string | null;
  readonly readers: number;
  readonly mayMigrate: boolean;
}

const TRIPS = 5;

/** Tries everything that a gateway does with a database, without changing it. Rejects with pg's error if it is unreachable. */
export async function inspectPostgres(options: InspectOptions): Promise<PostgresFacts> {
  const facts = await readFacts(options);
  const { listenUrl, readers, url } = options;
  // Plus one writer and one listener.
  const needed = readers + 2;
  const connections = { needed, ...(await tryConnections(url, needed)) };
  return { ...facts, connections, keepsSession: await keepsSession(listenUrl ?? url) };
}

async function readFacts({
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
      obstacle: await findObstacle(db, facts, mayMigrate),
    };
  } finally {
    await db.destroy();
  }
}

async function findObstacle(
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

/** Statements that need each privilege of the gateway. Conditions that match nothing suffice. */
const STATEMENTS = [
  'insert into tasks select * from tasks where false',
  'update tasks set version = version where false',
  'delete from tasks where false',
  "insert into slots (kind, owner, taken_at) values ('query', 'doctor', 0)",
  'delete from slots where false',
  "update counters set value = value where name = 'doctor'",
  "insert into secrets (name, value) values ('doctor', '') on conflict (name) do update set value = ''",
  'insert into uploads select * from uploads where false',
  'update uploads set url = url where false',
  'delete from uploads where false',
  'insert into video_copies select * from video_copies where false',
  'update video_copies set is_doomed = 1 where false',
  'delete from video_copies where false',
];

/** Tries all writes of a gateway in a transaction that is rolled back. Rejects with the error of the database. */
async function tryWrites(db: Kysely<Database>): Promise<void> {
  await rollBackAfter(db, async (trx) => {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(trx);
    await notifyOfCommit(trx);
  });
}

/** The SQLSTATE of a missing privilege. */
const NOT_ALLOWED = '42501';

/** Rejects with the error of the database if a gateway lacks a privilege. Other obstacles, such as a lock, may pass. */
export async function assertPrivileges(db: Kysely<Database>): Promise<void> {
  await tryWrites(db).catch((error: unknown) => {
    if (error instanceof DatabaseError && error.code === NOT_ALLOWED) throw error;
  });
}

/** Tries what migrations do, in the same way. */
async function tryMigrating(db: Kysely<Database>): Promise<void> {
  await rollBackAfter(db, async (trx) => {
    await sql`create table kineograph_doctor (id integer)`.execute(trx);
    const { rows } = await sql<{ owner: string }>`select pg_get_userbyid(relowner) as owner from pg_class
      where oid = to_regclass('tasks') and not pg_has_role(relowner, 'usage')`.execute(trx);
    const [table] = rows;
    if (table) throw new Error(`the tables belong to ${table.owner}; only this role can migrate them`);
  });
}

const ROLLBACK = new Error('rolled back');

async function rollBackAfter(
  db: Kysely<Database>,
  run: (trx: Kysely<Database>) => Promise<void>,
): Promise<void> {
  const transaction = db.transaction().execute(async (trx) => {
    await sql`set local lock_timeout = '2s'`.execute(trx);
    await run(trx);
    throw ROLLBACK;
  });
  await transaction.catch((error: unknown) => {
    if (error !== ROLLBACK) throw error;
  });
}

/** Opens connections at once and closes them. Returns how many could be opened, and the error of the others. */
async function tryConnections(
  url: string,
  count: number,
): Promise<{ readonly had: number; readonly error: unknown }> {
  const clients = Array.from({ length: count }, () => new Client({ ...CONNECTION, connectionString: url }));
  for (const client of clients) client.on('error', () => undefined);
  const results = await Promise.allSettled(clients.map((client) => client.connect()));
  await Promise.allSettled(clients.map((client) => client.end()));
  const failed = results.find((result) => result.status === 'rejected');
  return { had: results.filter(({ status }) => status === 'fulfilled').length, error: failed?.reason };
}
