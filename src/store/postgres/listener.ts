import { sql, type Kysely } from 'kysely';
import { Client } from 'pg';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../schema.ts';
import { CONNECTION, setTimeouts } from './pool.ts';

const CHANNEL = 'kineograph';
const RECONNECT_MS = 1000;
/** A connection that was cut without a word is found out by asking. */
const PROBE_EVERY_MS = 15_000;

/** Wakes every process that listens, once, when the transaction is committed; not at all when it is not. */
export async function notifyOfCommit(trx: Kysely<Database>): Promise<void> {
  await sql`notify ${sql.id(CHANNEL)}`.execute(trx);
}

/**
 * Calls `wake` at each commit of another process, and when the connection was lost for a while. The connection is its
 * own and made anew as often as it breaks. Returns how to stop.
 */
export function listenForCommits(options: {
  readonly url: string;
  readonly wake: () => void;
  /** Whether a process of the server works for this process: its commits are known here. */
  readonly isOwn: (pid: number) => boolean;
  readonly onError: (error: unknown) => void;
}): () => Promise<void> {
  const { isOwn, onError, url, wake } = options;
  const stopped = new AbortController();
  const whenStopped = once(stopped.signal, 'abort');

  async function listenOnce(): Promise<void> {
    const client = new Client({ ...CONNECTION, connectionString: url });
    const lost = new Promise<void>((resolve) => {
      client.once('end', resolve);
      client.on('error', () => {
        resolve();
      });
    });
    const end = (): void => void client.end().catch(() => undefined);
    try {
      await client.connect();
      await setTimeouts(client);
      client.on('notification', ({ processId }) => {
        if (!isOwn(processId)) wake();
      });
      await client.query(`listen "${CHANNEL}"`);
      wake();
      await Promise.race([lost, probe(client), whenStopped]);
    } finally {
      end();
    }
  }

  async function probe(client: Client): Promise<void> {
    for (;;) {
      await delay(PROBE_EVERY_MS, undefined, { signal: stopped.signal, ref: false });
      await client.query('select 1');
    }
  }

  async function listen(): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        await listenOnce();
      } catch (error) {
        if (isStopped()) return;
        onError(error);
      }
      await delay(RECONNECT_MS, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined);
    }
  }
  const isStopped = (): boolean => stopped.signal.aborted;

  const listening = listen();
  return async () => {
    stopped.abort();
    await listening;
  };
}
