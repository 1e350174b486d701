/** Counts one event of `key`. Returns the ms to wait if there were too many, or null. */
export type RateLimit = (key: string) => Promise<number | null>;

/** Allows `limit` events of each key in `windowMs`. A limit of null allows everything. */
export async function createRateLimit(limit: number | null, windowMs: number): Promise<RateLimit> {
  if (limit === null) return () => Promise.resolve(null);
  // Imported only if needed, because it contains limiters for many databases. In the bundle, the names of a CommonJS package
  // are members of its default export: https://esbuild.github.io/content-types/#default-interop
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
