import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { Pool, type ClientBase, type PoolClient } from 'pg';
import { isOutage } from './postgres-outage.ts';
import { CONNECTION, PATIENT_CONNECTION, processIdOf, setTimeouts } from './postgres-session.ts';
import { createTimeLimit, type TimeLimit } from './time-limit.ts';

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
