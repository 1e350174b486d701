/** How many of each key there are, or how much, up to a limit; no limit when it is null. */
export interface ConcurrencyLimit {
  /** Counts `amount` more, 1 unless given; false, and nothing is counted, when that is more than allowed. */
  add(key: string, amount?: number): boolean;
  remove(key: string, amount?: number): void;
}

export function createConcurrencyLimit(limit: number | null): ConcurrencyLimit {
  const counts = new Map<string, number>();
  return {
    add(key, amount = 1) {
      const count = counts.get(key) ?? 0;
      if (limit !== null && count + amount > limit) return false;
      counts.set(key, count + amount);
      return true;
    },
    remove(key, amount = 1) {
      const count = counts.get(key) ?? 0;
      if (count > amount) counts.set(key, count - amount);
      else counts.delete(key);
    },
  };
}
