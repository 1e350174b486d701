import { sql, type Kysely } from 'kysely';
import { systemClock, type Clock } from '../tasks/clock.ts';

/** A measurement of the server's clock. `aheadMs` may be wrong by half the round trip. */
export interface ClockTrip {
  readonly roundTripMs: number;
  readonly aheadMs: number;
}

const MEASURE_EVERY_MS = 10_000;
/** A smaller difference is harmless and may come from a slow round trip. */
const TOLERATED_MS = 1000;

interface ServerClock extends Clock {
  stop(): void;
}

/**
 * The clock of the database server, so that all replicas agree on leases and due times. It is measured regularly and advances
 * monotonically in between, so changes of the local clock have no effect.
 */
export async function openServerClock<T>(db: Kysely<T>): Promise<ServerClock> {
  let base = Date.now() - performance.now();
  const now = (): number => Math.round(base + performance.now());

  async function synchronize(): Promise<void> {
    const { aheadMs, roundTripMs } = await measureClock(db, now);
    if (Math.abs(aheadMs) > TOLERATED_MS + roundTripMs) base += aheadMs;
  }

  await synchronize();
  // A failed measurement is ignored: the clock keeps advancing, and others report the outage.
  const timer = setInterval(() => void synchronize().catch(() => undefined), MEASURE_EVERY_MS).unref();
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
