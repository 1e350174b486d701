import type { Clock } from './clock.ts';
import type { TaskRecord } from './task.ts';

/** Lets mutations wait until it is known what became of their task. */
export interface PendingCreates {
  /** Fulfilled with the record once it is settled, with null when `ms` have passed or waiting was ended. */
  wait(id: string, ms: number): Promise<TaskRecord | null>;
  /** Passes on a written record; whoever waits for it is answered if it is settled. */
  tell(record: TaskRecord): void;
  /** Answers everybody now, and from now on at once. */
  endWaiting(): void;
  hasEnded(): boolean;
}

/** Whether the caller can be told what became of the create call: taken, refused, or not to be known. */
export function isSettled(record: TaskRecord): boolean {
  return record.refusal !== null || record.state !== 'SUBMITTING' || record.unknownSince !== null;
}

export function createPendingCreates(clock: Clock): PendingCreates {
  const waiting = new Map<string, Set<(record: TaskRecord | null) => void>>();
  let ended = false;

  return {
    wait(id, ms) {
      if (ended || ms <= 0) return Promise.resolve(null);
      return new Promise((resolve) => {
        const waiters = waiting.get(id) ?? new Set();
        const cancel = clock.after(ms, () => {
          answer(null);
        });
        function answer(record: TaskRecord | null): void {
          cancel();
          waiters.delete(answer);
          if (waiters.size === 0) waiting.delete(id);
          resolve(record);
        }
        waiting.set(id, waiters.add(answer));
      });
    },
    tell(record) {
      const waiters = waiting.get(record.id);
      if (waiters && isSettled(record)) for (const answer of [...waiters]) answer(record);
    },
    hasEnded: () => ended,
    endWaiting() {
      ended = true;
      for (const waiters of [...waiting.values()]) for (const answer of [...waiters]) answer(null);
    },
  };
}
