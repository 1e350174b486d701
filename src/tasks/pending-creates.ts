import type { Clock } from './clock.ts';
import type { TaskRecord } from './task.ts';

/** Mutations that wait for the outcome of their create call. */
export interface PendingCreates {
  /** Resolves with the settled record, or with null after `ms` or at shutdown. */
  wait(id: string, ms: number): Promise<TaskRecord | null>;
  /** Resolves the mutations that wait for this record if it is settled. */
  notify(record: TaskRecord): void;
  /** Resolves all waits with null, now and from now on. */
  endWaiting(): void;
  hasEnded(): boolean;
}

/** Whether the create call has an outcome: accepted, refused or unknown. */
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
    notify(record) {
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
