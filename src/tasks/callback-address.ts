import { createHmac, timingSafeEqual } from 'node:crypto';

/** Callback URLs: one for each task, with a token that nobody can guess. */
export interface CallbackAddress {
  /** The callback URL of a task; null without a public URL. */
  urlFor(taskId: string): string | null;
  /** Whether a URL is the task's callback URL, with any origin: the public URL may have changed. */
  matches(taskId: string, url: string): boolean;
  /** Whether the token belongs to the task. Constant time, also for unknown ids. */
  isToken(taskId: string, token: string): boolean;
}

/**
 * `publicUrl` is called at each use: with port 0 it is known only once the server listens. `pathOf` returns the path of a
 * task's callbacks.
 */
export function createCallbackAddress(
  secret: Buffer,
  publicUrl: () => string | null,
  pathOf: (taskId: string, token: string) => string,
): CallbackAddress {
  const digestOf = (taskId: string): Buffer => createHmac('sha256', secret).update(taskId).digest();
  const pathFor = (taskId: string): string => pathOf(taskId, digestOf(taskId).toString('base64url'));

  return {
    urlFor(taskId) {
      const base = publicUrl();
      return base === null ? null : base + pathFor(taskId);
    },
    matches: (taskId, url) => url.endsWith(pathFor(taskId)),
    isToken(taskId, token) {
      const expected = digestOf(taskId);
      const given = Buffer.from(token, 'base64url');
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
  };
}
