/** How many of each key there are, up to a limit; no limit when it is null. */
export interface Tally {
  /** Counts one more; false, and nothing is counted, when there are as many as allowed. */
  add(key: string): boolean;
  remove(key: string): void;
}

export function createTally(limit: number | null): Tally {
  const counts = new Map<string, number>();
  return {
    add(key) {
      const count = counts.get(key) ?? 0;
      if (limit !== null && count >= limit) return false;
      counts.set(key, count + 1);
      return true;
    },
    remove(key) {
      const count = counts.get(key) ?? 0;
      if (count > 1) counts.set(key, count - 1);
      else counts.delete(key);
    },
  };
}
