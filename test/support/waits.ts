/** What the running test waits for, by name, so that a test which ran out of time can say what never came. */

const waits = new Set<{ readonly what: string }>();

/** Returns `promise`, and names it among what is waited for until it is settled. Abandoning it is harmless. */
export function named<T>(what: string, promise: Promise<T>): Promise<T> {
  const wait = { what };
  const forget = (): boolean => waits.delete(wait);
  waits.add(wait);
  promise.then(forget, forget);
  return promise;
}

/** Hands out the names of what is still waited for, and forgets them. */
export function takeWaits(): string[] {
  const names = [...waits].map(({ what }) => what);
  waits.clear();
  return names;
}
