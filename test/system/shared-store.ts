import { emptyDatabase } from '../support/postgres-database.ts';

/**
 * A store on PostgreSQL for gateways that die, on which nobody takes over: what the dead have left is free when its time
 * has run out, which is short here.
 */
export async function sharedStore() {
  return {
    env: { DATABASE_URL: await emptyDatabase(), CREATE_WAIT_MS: '3000', CREATE_TIMEOUT_MS: '1500' },
    timings: { markMargin: 300, submitLease: 500, checkLease: 500 },
  };
}
