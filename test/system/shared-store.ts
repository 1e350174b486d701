import { emptyDatabase } from '../support/postgres-database.ts';

/**
 * A store on PostgreSQL for gateways that die, on which nobody takes over: what the dead have left is free when its time
 * has run out, which is short here. `isLate`: a create call is answered only when something else has happened, and its
 * mutation before it; both have time for that.
 */
export async function sharedStore({ isLate = false } = {}) {
  return {
    env: {
      DATABASE_URL: await emptyDatabase(),
      CREATE_WAIT_MS: isLate ? '10' : '3000',
      CREATE_TIMEOUT_MS: isLate ? '8000' : '1500',
    },
    timings: { markMargin: 300, submitLease: isLate ? 8000 : 500, checkLease: 500 },
  };
}
