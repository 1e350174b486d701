import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** Counts one event of `key`; returns how many ms to wait when there were too many, and null when not. */
export type RateLimit = (key: string) => Promise<number | null>;

/** At most `limit` events of each key in `windowMs`; no limit at all when it is null. */
export function createRateLimit(limit: number | null, windowMs: number): RateLimit {
  if (limit === null) return () => Promise.resolve(null);
  const limiter = new RateLimiterMemory({ points: limit, duration: windowMs / 1000 });
  return async (key) => {
    try {
      await limiter.consume(key);
      return null;
    } catch (error) {
      if (error instanceof RateLimiterRes) return error.msBeforeNext;
      throw error;
    }
  };
}
