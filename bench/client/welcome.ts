import { setTimeout as delay } from 'node:timers/promises';
import type { TaskRef } from '../subjects/subject.ts';
import type { Callers } from './callers.ts';
import type { Deliveries } from './deliveries.ts';

const ROUNDS = 10;
const QUIET_MS = 300;

/**
 * Resolves when every task has been shown to its subscriber as it waits. The contract's first event does that; to servers
 * without one a callback is sent that changes nothing, until it has come through.
 */
export async function welcomeAll(
  deliveries: Deliveries,
  tasks: readonly TaskRef[],
  callers: Callers,
): Promise<void> {
  const everybody = Promise.all(tasks.map(({ number }) => deliveries.delivered(number)));
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.race([everybody, quiet(deliveries)]);
    const missing = tasks.filter(({ number }) => !deliveries.has(number));
    if (missing.length === 0) return;
    await callers.move(missing, 'waiting');
  }
  throw new Error(`not everybody is subscribed: ${deliveries.describe()}`);
}

async function quiet(deliveries: Deliveries): Promise<void> {
  for (let last = -1; deliveries.total !== last;) {
    last = deliveries.total;
    await delay(QUIET_MS);
  }
}
