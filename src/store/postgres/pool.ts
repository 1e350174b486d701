import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { Pool, type ClientBase, type PoolClient, Client, type ClientConfig, DatabaseError } from 'pg';

interface TrackedPool extends PostgresPool {
  /** The server process ids of the open connections. */
  readonly pids: ReadonlySet<number>;
}

/**
 * A pool of at most `size` connections. A connection that failed is not reused: it may be cut silently and would stall its next
 * user.
 */
export function createPostgresPool(options: {
  readonly url: string;
  readonly size: number;
  /** Receives the errors of idle connections. */
  readonly onError: (error: unknown) => void;
  /** Runs on each new connection before its first use. */
  readonly onConnect?: (client: ClientBase) => Promise<void>;
  /** Whether statements are limited in time; true if left out. */
  readonly hasTimeouts?: boolean;
  /** Limits connecting and each statement, in addition to the timeouts. */
  readonly limit?: TimeLimit;
}): TrackedPool {
  const { hasTimeouts = true, limit = createTimeLimit(), onConnect, size: max } = options;
  const { url: connectionString } = options;
  const pool = new Pool({
    ...CONNECTION,
    ...(hasTimeouts ? {} : { query_timeout: 0 }),
    connectionString,
    max,
  });
  const pids = new Set<number>();
  const prepared = new WeakSet<ClientBase>();
  pool.on('error', (error) => {
    // pg attaches the client with its cancellation key, which must not reach the logs.
    Reflect.deleteProperty(error, 'client');
    // Errors of a closing pool are irrelevant.
    if (!pool.ending) options.onError(error);
  });
  pool.on('connect', (client) => {
    pids.add(processIdOf(client));
    // The pool has no listener while a client is in use, and an unhandled error ends the process. Its query rejects anyway.
    client.on('error', () => undefined);
  });
  pool.on('remove', (client) => pids.delete(processIdOf(client)));

  /** Does not use the pool's `onConnect`: after a failure it waits for the connection to close, which may never happen. */
  async function connect(): Promise<PoolClient> {
    const client = await pool.connect();
    if (prepared.has(client)) return client;
    try {
      await setTimeouts(client, hasTimeouts);
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
        return discardIfBroken(await limit.apply(connected), limit);
      } catch (error) {
        // A connection that arrives too late goes back to the pool.
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

/** Fails fast after an outage on this client, and closes it on release. */
function discardIfBroken(client: PoolClient, limit: TimeLimit): PostgresPoolClient {
  let broken: { readonly by: unknown } | null = null;
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    // Kysely's ROLLBACK after a failure, for example, would get no response.
    if (broken) throw broken.by;
    try {
      return await limit.apply(client.query(text, [...values]));
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

const CONNECT_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 5000;
/** Later than the server's own timeout, so that no response means a lost connection. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 1000;
/** How long a process that lost its connection inside a transaction keeps its locks. */
const IDLE_IN_TRANSACTION_MS = 2500;

export const CONNECTION: ClientConfig = {
  application_name: 'kineograph',
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  query_timeout: ANSWER_TIMEOUT_MS,
  keepAlive: true,
};

/** Override the settings of the role and the database. Some exist on newer servers only. */
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
 * Sets the timeouts of a new connection. Startup parameters would save a round trip, but PgBouncer rejects them
 * (https://www.pgbouncer.org/config.html, ignore_startup_parameters), and pg omits zeros.
 */
export async function setTimeouts(client: ClientBase, hasTimeouts = true): Promise<void> {
  await client.query(
    `select set_config(name, value, false) from json_each_text($1) as ours (name, value)
       where current_setting(name, true) is not null`,
    [JSON.stringify(hasTimeouts ? TIMEOUTS : NO_TIMEOUTS)],
  );
}

/**
 * Whether a connection keeps one server session, which LISTEN and the locks of migrations need. A pooler in transaction mode,
 * such as PgBouncer, may use another session for each transaction.
 */
export async function keepsSession(url: string): Promise<boolean> {
  const client = new Client({ ...CONNECTION, connectionString: url });
  const other = new Client({ ...CONNECTION, connectionString: url });
  for (const one of [client, other]) one.on('error', () => undefined);
  try {
    await client.connect();
    if ((await backendOf(client)) === processIdOf(client)) return true;
    // Behind a pooler, the second client takes the session that the first one used last.
    await other.connect();
    const before = await backendOf(client);
    await other.query('begin');
    await backendOf(other);
    return (await backendOf(client)) === before;
  } finally {
    for (const one of [client, other]) void one.end().catch(() => undefined);
  }
}

/** The server process that answers. A pooler reports a process id of its own when clients connect. */
async function backendOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid;
}

/** Missing from the types of pg. */
function processIdOf(client: object): number {
  return 'processID' in client && typeof client.processID === 'number' ? client.processID : 0;
}

/** SQLSTATE classes about the server, not the statement: connection, rollback (deadlock), resources, operator, system. */
const OUTAGE_CLASSES = new Set(['08', '40', '53', '57', '58']);
const OUTAGE_CODES = new Set([
  // The server ended a transaction that was idle or lasted too long.
  '25P03',
  '25P04',
  // The server or session is read-only; another connection may not be.
  '25006',
]);

/** Messages of connection errors without a code: pg's own, and that of our time limit. */
const CONNECTION_MESSAGES =
  /^(Gateway is stopping|Connection terminated|Query read timeout|timeout e|Client (was closed|has encountered)|The server does not support SSL|There was an error establishing an SSL)/;

/** Whether PostgreSQL rolled a transaction back because others waited for it and it for them. */
export function isDeadlock(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '40P01';
}

/** Whether the database is unreachable or unable to work (PostgreSQL, Appendix A), so that a retry may succeed. */
export function isOutage(error: unknown): boolean {
  if (error instanceof DatabaseError) {
    const { code = '' } = error;
    return OUTAGE_CLASSES.has(code.slice(0, 2)) || OUTAGE_CODES.has(code);
  }
  if (error instanceof AggregateError) return error.errors.some(isOutage);
  return error instanceof Error && ('syscall' in error || CONNECTION_MESSAGES.test(error.message));
}

/** The error for a pooler in transaction mode. */
export const POOLED =
  'DATABASE_URL leads through a pooler in transaction mode, such as PgBouncer: LISTEN and migrations need a session of their own. ' +
  'Set DATABASE_LISTEN_URL to the same database without the pooler (or with it in session mode), or let DATABASE_URL lead there.';

const GENERAL = 'Check DATABASE_URL, and that the server runs and lets this user in.';

/** What to do about each SQLSTATE (PostgreSQL, Appendix A). */
const ADVICE: Readonly<Record<string, string>> = {
  '25006': 'It is read-only, as a standby is: let DATABASE_URL lead to the primary, or make it writable.',
  '42501':
    'Let this user create tables in the schema (GRANT CREATE ON SCHEMA public), or run "kineograph migrate" as one who may, and grant this user SELECT, INSERT, UPDATE and DELETE on all tables and USAGE on all sequences.',
  '53300':
    'Give the server, or this user, more connections (max_connections), or set a smaller DATABASE_CONNECTIONS.',
  '08P01': 'A pooler may refuse what DATABASE_URL asks for: leave out parameters such as "options".',
};

/** What to do if a database cannot be used. */
export function adviceFor(error: unknown): string {
  const code = codeOf(error);
  return (code === null ? undefined : ADVICE[code]) ?? GENERAL;
}

/** The message of the database. */
export function reasonOf(error: unknown): string {
  return error instanceof AggregateError ? error.errors.join('; ') : String(error);
}

/** The SQLSTATE of an error or its cause. */
function codeOf(error: unknown): string | null {
  if (error instanceof DatabaseError) return error.code ?? null;
  return error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : null;
}

/** Limits how long responses of the database are awaited, once a limit is set. */
interface TimeLimit {
  /** Applies to all later responses and to those in flight. */
  set(ms: number): void;
  isSet(): boolean;
  /** Resolves with the response, or rejects if it takes too long. */
  apply<T>(response: Promise<T>): Promise<T>;
}

export function createTimeLimit(): TimeLimit {
  let limitMs: number | null = null;
  const pending = new Set<() => void>();

  return {
    set(ms) {
      limitMs = ms;
      const rejections = [...pending];
      setTimeout(() => {
        for (const giveUp of rejections) giveUp();
      }, ms);
    },
    isSet: () => limitMs !== null,
    apply: (response) =>
      new Promise((resolve, reject) => {
        const giveUp = (): void => {
          reject(new Error('Gateway is stopping and did not wait longer for the database'));
        };
        pending.add(giveUp);
        const timer = limitMs === null ? undefined : setTimeout(giveUp, limitMs);
        const settled = (): void => {
          pending.delete(giveUp);
          clearTimeout(timer);
        };
        response.finally(settled).then(resolve, reject);
      }),
  };
}
