import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { Pool, type ClientBase, type PoolClient, Client, type ClientConfig, DatabaseError } from 'pg';
import { createTimeLimit, type TimeLimit } from '../retry.ts';

interface OurPool extends PostgresPool {
  /** The server's process ids of the connections that are open. */
  readonly pids: ReadonlySet<number>;
}

/**
 * At most `size` connections. One on which something went wrong with the connection itself is not used again: it may
 * have been cut without a word, and would hold up whoever gets it next.
 */
export function createPostgresPool(options: {
  readonly url: string;
  readonly size: number;
  /** Told of connections that break while nobody uses them. */
  readonly onError: (error: unknown) => void;
  /** Run on each new connection before it is used. */
  readonly onConnect?: (client: ClientBase) => Promise<void>;
  /** Statements may take as long as they need. */
  readonly isPatient?: true;
  /** For connecting and for each statement, beside the limits that every connection has. */
  readonly limit?: TimeLimit;
}): OurPool {
  const { isPatient = false, limit = createTimeLimit(), onConnect, size: max } = options;
  const { url: connectionString } = options;
  const pool = new Pool({ ...(isPatient ? PATIENT_CONNECTION : CONNECTION), connectionString, max });
  const pids = new Set<number>();
  const prepared = new WeakSet<ClientBase>();
  pool.on('error', (error) => {
    // pg attaches the whole connection, with the key by which its statements can be cancelled. It would end up in logs.
    Reflect.deleteProperty(error, 'client');
    // A connection that is being closed can no longer break.
    if (!pool.ending) options.onError(error);
  });
  pool.on('connect', (client) => {
    pids.add(processIdOf(client));
    // While it is used the pool does not listen, and an error that nobody hears ends the process. Its user is told anyway.
    client.on('error', () => undefined);
  });
  pool.on('remove', (client) => pids.delete(processIdOf(client)));

  /** Not by the pool's own onConnect: it waits for the goodbye of a connection that fails, which may never come. */
  async function connect(): Promise<PoolClient> {
    const client = await pool.connect();
    if (prepared.has(client)) return client;
    try {
      await setTimeouts(client, { isPatient });
      await onConnect?.(client);
      prepared.add(client);
      return client;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  return {
    pids,
    async connect() {
      const connected = connect();
      try {
        return careful(await limit.on(connected), limit);
      } catch (error) {
        // One that comes too late is nobody's.
        connected.then(
          (client) => {
            client.release();
          },
          () => undefined,
        );
        throw error;
      }
    },
    end: () => pool.end(),
  };
}

function careful(client: PoolClient, limit: TimeLimit): PostgresPoolClient {
  let broken: { readonly by: unknown } | null = null;
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    // Such as the ROLLBACK after what went wrong: it would wait for an answer in vain.
    if (broken) throw broken.by;
    try {
      return await limit.on(client.query(text, [...values]));
    } catch (error) {
      if (isOutage(error)) broken = { by: error };
      throw error;
    }
  };
  return {
    query: query as PostgresPoolClient['query'],
    release: () => {
      client.release(broken !== null);
    },
  };
}

/** How long a connection may take to come about, and one statement to be answered, in ms. */
const CONNECT_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 5000;
/** The server gives up first and says so; a client that hears nothing by then has lost its connection. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 1000;
/** A process that was cut off in the middle of a transaction holds its locks for so long. */
const IDLE_IN_TRANSACTION_MS = 2500;

export const CONNECTION: ClientConfig = {
  application_name: 'kineograph',
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  query_timeout: ANSWER_TIMEOUT_MS,
  keepAlive: true,
};

/** Statements may take as long as they need; 0 means no limit. */
const PATIENT_CONNECTION: ClientConfig = { ...CONNECTION, query_timeout: 0 };

/** No role or database setting may cut what we do; some of them exist in newer servers only. */
const NO_TIMEOUTS = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  transaction_timeout: '0',
  idle_session_timeout: '0',
};
const TIMEOUTS = {
  ...NO_TIMEOUTS,
  statement_timeout: String(STATEMENT_TIMEOUT_MS),
  idle_in_transaction_session_timeout: String(IDLE_IN_TRANSACTION_MS),
};

/**
 * Sets the time limits of a new connection. Startup parameters would save a round trip, but PgBouncer refuses a
 * connection that has them (https://www.pgbouncer.org/config.html, ignore_startup_parameters), and pg sends no zeros.
 */
export async function setTimeouts(client: ClientBase, { isPatient = false } = {}): Promise<void> {
  await client.query(
    `select set_config(name, value, false) from json_each_text($1) as ours (name, value)
       where name in (select name from pg_settings)`,
    [JSON.stringify(isPatient ? NO_TIMEOUTS : TIMEOUTS)],
  );
}

/**
 * Whether a connection keeps one server session, as LISTEN and the locks of migrations need. It does not behind a pooler
 * in transaction mode, such as PgBouncer, which gives each transaction the next best session.
 */
export async function keepsSession(url: string): Promise<boolean> {
  const client = new Client({ ...CONNECTION, connectionString: url });
  const other = new Client({ ...CONNECTION, connectionString: url });
  for (const one of [client, other]) one.on('error', () => undefined);
  try {
    await client.connect();
    if ((await backendOf(client)) === processIdOf(client)) return true;
    // The second client takes the session that the first one used last, if the pooler lets it.
    await other.connect();
    const before = await backendOf(client);
    await other.query('begin');
    await backendOf(other);
    return (await backendOf(client)) === before;
  } finally {
    for (const one of [client, other]) void one.end().catch(() => undefined);
  }
}

/** The server's process that answers; a pooler gives clients a number of its own when they connect. */
async function backendOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid;
}

/** Known to pg's client and missing from its types. */
function processIdOf(client: object): number {
  return 'processID' in client && typeof client.processID === 'number' ? client.processID : 0;
}

/**
 * Classes of SQLSTATE that speak of the server and not of the statement: connections, transactions that were rolled back so
 * that another one can go on (two processes that waited for each other), resources, an operator, itself.
 */
const CLASSES = new Set(['08', '40', '53', '57', '58']);
const CODES = new Set([
  // The server ended the connection because its transaction had been left alone, or had lasted, for too long.
  '25P03',
  '25P04',
  // The server, or this session of it, is read-only: another connection may lead to one that is not.
  '25006',
]);

/** What pg says itself of connections that ended or did not come about, and we when we stop; neither gives codes. */
const OF_CONNECTIONS =
  /^(Gateway is stopping|Connection terminated|Query read timeout|timeout e|Client (was closed|has encountered)|The server does not support SSL|There was an error establishing an SSL)/;

/**
 * Whether the database could not be reached or is not able to work now (PostgreSQL, Appendix A), so that the same may
 * succeed on another connection or at another time.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof DatabaseError) {
    const { code = '' } = error;
    return CLASSES.has(code.slice(0, 2)) || CODES.has(code);
  }
  if (error instanceof AggregateError) return error.errors.some(isOutage);
  return error instanceof Error && (isOfTheSystem(error) || OF_CONNECTIONS.test(error.message));
}

/** Such as ECONNREFUSED or ENOTFOUND. */
function isOfTheSystem(error: Error): boolean {
  return 'syscall' in error;
}

/** Said when DATABASE_URL leads through a pooler that gives each transaction another session. */
export const POOLED =
  'DATABASE_URL leads through a pooler in transaction mode, such as PgBouncer: LISTEN and migrations need a session of their own. ' +
  'Set DATABASE_LISTEN_URL to the same database without the pooler (or with it in session mode), or let DATABASE_URL lead there.';

const GENERAL = 'Check DATABASE_URL, and that the server runs and lets this user in.';

/** SQLSTATEs (PostgreSQL, Appendix A) and what to do about them. */
const ADVICE: Readonly<Record<string, string>> = {
  '25006': 'It is read-only, as a standby is: let DATABASE_URL lead to the primary, or make it writable.',
  '42501':
    'Let this user create tables in the schema (GRANT CREATE ON SCHEMA public), or run "kineograph migrate" as one who may, and grant this user SELECT, INSERT, UPDATE and DELETE on all tables and USAGE on all sequences.',
  '53300':
    'Give the server, or this user, more connections (max_connections), or set a smaller DATABASE_CONNECTIONS.',
  '08P01': 'A pooler may refuse what DATABASE_URL asks for: leave out parameters such as "options".',
};

/** How to mend that a database cannot be used. */
export function adviceFor(error: unknown): string {
  const code = codeOf(error);
  return (code === null ? undefined : ADVICE[code]) ?? GENERAL;
}

/** What went wrong, in the database's own words. */
export function reasonOf(error: unknown): string {
  return error instanceof AggregateError ? error.errors.join('; ') : String(error);
}

/** Of the error itself, or of what caused it. */
function codeOf(error: unknown): string | null {
  if (error instanceof DatabaseError) return error.code ?? null;
  return error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : null;
}
