import type { TaskStore } from '../../src/tasks/store.ts';

/** How many tasks of all owners wait their turn. */
export async function countWaiting(store: Pick<TaskStore, 'waitingByOwner'>): Promise<number> {
  let sum = 0;
  for (const count of (await store.waitingByOwner()).values()) sum += count;
  return sum;
}
