import type { TaskPorts } from './ports.ts';
import type { Task } from './task.ts';

/** The place of a task among all that wait their turn here: 1 is sent next. null when it waits no more. */
export type QueuePosition = (task: Pick<Task, 'id' | 'state'>) => Promise<number | null>;

/** The queue is read once for all who ask in the same turn of the event loop. */
export function createQueuePositions({ clock, store }: Pick<TaskPorts, 'clock' | 'store'>): QueuePosition {
  let reading: Promise<ReadonlyMap<string, number>> | null = null;

  async function read(): Promise<ReadonlyMap<string, number>> {
    setImmediate(() => {
      reading = null;
    });
    const ids = await store.queue(clock.now());
    return new Map(ids.map((id, index) => [id, index + 1]));
  }

  return async ({ id, state }) => {
    if (state !== 'SUBMITTING') return null;
    reading ??= read();
    return (await reading).get(id) ?? null;
  };
}
