import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { isOutage } from './postgres-outage.ts';

/** How long a connection may take to come about, and one statement to be answered, in ms. */
const CONNECT_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 5000;
/** The server gives up first and says so; a client that hears nothing by then has lost its connection. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 1000;
/** A process that was cut off in the middle of a transaction holds its locks for so long. */
const IDLE_IN_TRANSACTION_MS = 2500;

export const CONNECTION: PoolConfig = {
  application_name: 'kineograph',
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  query_timeout: ANSWER_TIMEOUT_MS,
  statement_timeout: STATEMENT_TIMEOUT_MS,
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  keepAlive: true,
};

/** 0: without a bound. */
const PATIENT: PoolConfig = {
  query_timeout: 0,
  statement_timeout: 0,
  idle_in_transaction_session_timeout: 0,
};

export interface OurPool extends PostgresPool {
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
  /** Statements may take as long as they need. */
  readonly isPatient?: true;
}): OurPool {
  const { isPatient, size: max, url: connectionString } = options;
  const pool = new Pool({ ...CONNECTION, ...(isPatient && PATIENT), connectionString, max });
  const pids = new Set<number>();
  pool.on('error', (error) => {
    // pg attaches the whole connection, with the key by which its statements can be cancelled. It would end up in logs.
    Reflect.deleteProperty(error, 'client');
    // A connection that is being closed can no longer break.
    if (!pool.ending) options.onError(error);
  });
  pool.on('connect', (client) => {
    pids.add(pidOf(client));
    // While it is used the pool does not listen, and an error that nobody hears ends the process. Its user is told anyway.
    client.on('error', () => undefined);
  });
  pool.on('remove', (client) => pids.delete(pidOf(client)));
  return {
    pids,
    connect: async () => careful(await pool.connect()),
    end: () => pool.end(),
  };
}

function careful(client: PoolClient): PostgresPoolClient {
  let broken: { readonly by: unknown } | null = null;
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    // Such as the ROLLBACK after what went wrong: it would wait for an answer in vain.
    if (broken) throw broken.by;
    try {
      return await client.query(text, [...values]);
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

/** Known to pg's client and missing from its types. */
function pidOf(client: object): number {
  return 'processID' in client && typeof client.processID === 'number' ? client.processID : 0;
}
