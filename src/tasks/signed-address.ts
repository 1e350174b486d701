import { createHmac, timingSafeEqual } from 'node:crypto';

/** URLs with a token that nobody can guess: one for each id, such as the callback URL of a task. */
export interface SignedAddress {
  /** The URL for an id; null without a base URL. */
  urlFor(id: string): string | null;
  /** Whether a URL is the one for an id, with any origin: the base URL may have changed. */
  matches(id: string, url: string): boolean;
  /** Whether the token belongs to the id. Constant time, also for unknown ids. */
  isToken(id: string, token: string): boolean;
}

/** `baseUrl` is called at each use: with port 0 it is known only once the server listens. `pathOf` returns the path for an id. */
export function createSignedAddress(
  secret: Buffer,
  baseUrl: () => string | null,
  pathOf: (id: string, token: string) => string,
): SignedAddress {
  const digestOf = (id: string): Buffer => createHmac('sha256', secret).update(id).digest();
  const pathFor = (id: string): string => pathOf(id, digestOf(id).toString('base64url'));

  return {
    urlFor(id) {
      const base = baseUrl();
      return base === null ? null : base + pathFor(id);
    },
    matches: (id, url) => url.endsWith(pathFor(id)),
    isToken(id, token) {
      const expected = digestOf(id);
      const given = Buffer.from(token, 'base64url');
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
  };
}
