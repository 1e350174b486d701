import { Client, type ClientBase, type ClientConfig } from 'pg';

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
export const PATIENT_CONNECTION: ClientConfig = { ...CONNECTION, query_timeout: 0 };

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
export function processIdOf(client: object): number {
  return 'processID' in client && typeof client.processID === 'number' ? client.processID : 0;
}
