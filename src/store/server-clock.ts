import { sql, type Kysely } from 'kysely';
import { systemClock, type Clock } from '../tasks/clock.ts';

/** How much the server's clock is ahead of another one, in ms, as exactly as half a round trip. */
export interface ClockTrip {
  readonly roundTripMs: number;
  readonly aheadMs: number;
}

const MEASURE_EVERY_MS = 10_000;
/** A smaller difference may come from a slow round trip, and harms nobody. */
const TOLERATED_MS = 1000;

/** A clock that many processes share, and how to let go of it. */
interface ServerClock extends Clock {
  stop(): void;
}

/**
 * The clock of the database server, so that all processes on it agree about leases and due times. Between two looks at it
 * the time goes on by itself: a clock that is set on this machine does not matter.
 */
export async function openServerClock<T>(db: Kysely<T>): Promise<ServerClock> {
  let base = Date.now() - performance.now();
  const now = (): number => Math.round(base + performance.now());

  async function follow(): Promise<void> {
    const { aheadMs, roundTripMs } = await measureClock(db, now);
    if (Math.abs(aheadMs) > TOLERATED_MS + roundTripMs) base += aheadMs;
  }

  await follow();
  // A database that is away is somebody else's trouble; the time goes on meanwhile.
  const timer = setInterval(() => void follow().catch(() => undefined), MEASURE_EVERY_MS).unref();
  return {
    ...systemClock,
    now,
    stop: () => {
      clearInterval(timer);
    },
  };
}

export async function measureClock<T>(db: Kysely<T>, now: () => number): Promise<ClockTrip> {
  const sentAt = now();
  const start = performance.now();
  const query = sql<{ ms: string }>`select extract(epoch from clock_timestamp()) * 1000 as ms`;
  const { rows } = await query.execute(db);
  const roundTripMs = performance.now() - start;
  return { roundTripMs, aheadMs: Number(rows[0]?.ms) - (sentAt + roundTripMs / 2) };
}
