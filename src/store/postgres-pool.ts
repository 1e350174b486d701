import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { isOutage } from './postgres-outage.ts';

/** How long a connection may take to come about, and one statement to be answered, in ms. */
const CONNECT_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** The server gives up first and says so; a client that hears nothing by then has lost its connection. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 2000;

export const CONNECTION: PoolConfig = {
  application_name: 'kineograph',
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  query_timeout: ANSWER_TIMEOUT_MS,
  statement_timeout: STATEMENT_TIMEOUT_MS,
  idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
  keepAlive: true,
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
}): OurPool {
  const pool = new Pool({ ...CONNECTION, connectionString: options.url, max: options.size });
  const pids = new Set<number>();
  pool.on('error', (error) => {
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
  let isBroken = false;
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    try {
      return await client.query(text, [...values]);
    } catch (error) {
      isBroken ||= isOutage(error);
      throw error;
    }
  };
  return {
    query: query as PostgresPoolClient['query'],
    release: () => {
      client.release(isBroken);
    },
  };
}

/** Known to pg's client and missing from its types. */
function pidOf(client: object): number {
  return 'processID' in client && typeof client.processID === 'number' ? client.processID : 0;
}
