/** Admits so many per window of time, counted over the window that ends now. */
export interface RateWindow {
  readonly limit: number;
  /** True when there is room; then this one is counted. What was turned away is not. */
  admit(): boolean;
}

/** At most `limit` admissions within any `windowMs` milliseconds. */
export function createRateWindow(limit: number, windowMs: number): RateWindow {
  let admitted: number[] = [];
  return {
    limit,
    admit() {
      const now = performance.now();
      admitted = admitted.filter((at) => now - at < windowMs);
      if (admitted.length >= limit) return false;
      admitted.push(now);
      return true;
    },
  };
}
