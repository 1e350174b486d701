/** Counts what each key has at the moment, up to a limit. A limit of null allows everything. */
export interface ConcurrencyLimit {
  /** Adds `amount` and returns true, or returns false if the sum would exceed the limit. */
  add(key: string, amount?: number): boolean;
  remove(key: string, amount?: number): void;
  count(key: string): number;
}

export function createConcurrencyLimit(limit: number | null): ConcurrencyLimit {
  const counts = new Map<string, number>();
  const count = (key: string): number => counts.get(key) ?? 0;
  return {
    count,
    add(key, amount = 1) {
      if (limit !== null && count(key) + amount > limit) return false;
      counts.set(key, count(key) + amount);
      return true;
    },
    remove(key, amount = 1) {
      if (count(key) > amount) counts.set(key, count(key) - amount);
      else counts.delete(key);
    },
  };
}
