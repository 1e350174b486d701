import { emptyDatabase } from '../kit/store.ts';

/**
 * A store on PostgreSQL for gateways that die, on which nobody takes over: what the dead have left is free when its time
 * has run out, which is short here. `isLate`: a create call waits for something else, and neither its time-out nor
 * the lease ends meanwhile.
 */
export async function sharedStore({ isLate = false } = {}) {
  return {
    env: {
      DATABASE_URL: await emptyDatabase(),
      CREATE_WAIT_MS: '3000',
      CREATE_TIMEOUT_MS: isLate ? '8000' : '1500',
    },
    timings: { markMargin: 300, submitLease: isLate ? 8000 : 500, checkLease: 500 },
  };
}
