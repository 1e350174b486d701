/** Counts one event of `key`; returns how many ms to wait when there were too many, and null when not. */
export type RateLimit = (key: string) => Promise<number | null>;

/** At most `limit` events of each key in `windowMs`; no limit at all when it is null. */
export async function createRateLimit(limit: number | null, windowMs: number): Promise<RateLimit> {
  if (limit === null) return () => Promise.resolve(null);
  // Loaded only for a limit: it brings a limiter for every database there is. The names of a CommonJS package are members of
  // its default export once it is bundled: https://esbuild.github.io/content-types/#default-interop
  const { RateLimiterMemory, RateLimiterRes } = (await import('rate-limiter-flexible')).default;
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
