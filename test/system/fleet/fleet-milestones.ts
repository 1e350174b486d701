import { deferred, type Deferred } from '../../kit/waits.ts';

/** Counts different things, and tells when there are so many of them. */
export interface Milestones {
  add(id: string): void;
  /** Fulfilled when so many different ones were added. */
  reached(count: number): Promise<void>;
}

export function createMilestones(what: string): Milestones {
  const all = new Set<string>();
  const waiting = new Map<number, Deferred<void>>();
  return {
    add(id) {
      all.add(id);
      waiting.get(all.size)?.resolve();
    },
    reached(count) {
      if (all.size >= count) return Promise.resolve();
      const milestone = waiting.get(count) ?? deferred(`${count} ${what}`);
      waiting.set(count, milestone);
      return milestone.promise;
    },
  };
}
