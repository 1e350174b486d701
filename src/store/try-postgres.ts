import { sql, type Kysely } from 'kysely';
import { Client } from 'pg';
import type { Database } from './database.ts';
import { notifyOfCommit } from './postgres-listener.ts';
import { CONNECTION } from './postgres-session.ts';

/** What the gateway does to each table; conditions that nothing fulfils suffice to ask for the right. */
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
];

/**
 * Does all that a gateway does to a database with the current schema, in a transaction that is taken back. Rejects with what the
 * database refuses.
 */
export async function tryWrites(db: Kysely<Database>): Promise<void> {
  await takenBack(db, async (trx) => {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(trx);
    await notifyOfCommit(trx);
  });
}

/** The same for what migrations do. */
export async function tryMigrating(db: Kysely<Database>): Promise<void> {
  await takenBack(db, async (trx) => {
    await sql`create table kineograph_doctor (id integer)`.execute(trx);
    const { rows } = await sql<{ owner: string }>`select pg_get_userbyid(relowner) as owner from pg_class
      where oid = to_regclass('tasks') and not pg_has_role(relowner, 'usage')`.execute(trx);
    const [table] = rows;
    if (table) throw new Error(`the tables belong to ${table.owner}, who alone may migrate them`);
  });
}

const TAKEN_BACK = new Error('taken back');

async function takenBack(db: Kysely<Database>, run: (trx: Kysely<Database>) => Promise<void>): Promise<void> {
  const tried = db.transaction().execute(async (trx) => {
    await sql`set local lock_timeout = '2s'`.execute(trx);
    await run(trx);
    throw TAKEN_BACK;
  });
  await tried.catch((error: unknown) => {
    if (error !== TAKEN_BACK) throw error;
  });
}

/** Opens so many connections at once and closes them again. Returns how many there were, and why not more. */
export async function tryConnections(
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
