import { sql, type Kysely } from 'kysely';
import { Client } from 'pg';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../schema.ts';
import { CONNECTION, setTimeouts } from './pool.ts';

const CHANNEL = 'kineograph';
const RECONNECT_MS = 1000;
/** A probe detects a connection that was cut silently. */
const PROBE_EVERY_MS = 15_000;

/** Wakes every listening process once when the transaction is committed. */
export async function notifyOfCommit(trx: Kysely<Database>): Promise<void> {
  await sql`notify ${sql.id(CHANNEL)}`.execute(trx);
}

/**
 * Calls `wake` at each commit of another process and after each reconnect. Uses a connection of its own and reconnects whenever
 * it breaks. Returns a function that stops it.
 */
export function listenForCommits(options: {
  readonly url: string;
  readonly wake: () => void;
  /** Whether a server process belongs to this process, whose commits are known already. */
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
      void client.end().catch(() => undefined);
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
