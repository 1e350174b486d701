/**
 * Runs `work` one at a time. Each call resolves when a run that began after the call is over; calls that come
 * while one is under way share the next. `work` must not reject.
 */
export function singleFlight(work: () => Promise<void>): () => Promise<void> {
  let current = Promise.resolve();
  let next: Promise<void> | null = null;
  return () => {
    next ??= current.then(() => {
      next = null;
      current = work();
      return current;
    });
    return next;
  };
}
