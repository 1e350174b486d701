import { createHmac, timingSafeEqual } from 'node:crypto';

/** The addresses under which the provider reports to us, one for each task, which nobody else can guess. */
export interface CallbackAddress {
  /** Where the provider shall call back for this task; null when we have no public address. */
  urlFor(taskId: string): string | null;
  /** Whether an address that the provider shows is this task's, whatever our public address was when it was made. */
  matches(taskId: string, url: string): boolean;
  /** Whether the token is this task's, in constant time, also for ids that do not exist. */
  isToken(taskId: string, token: string): boolean;
}

/** `publicUrl` is asked at each use: with port 0 it is known only once the server listens. */
export function createCallbackAddress(secret: Buffer, publicUrl: () => string | null): CallbackAddress {
  const digestOf = (taskId: string): Buffer => createHmac('sha256', secret).update(taskId).digest();
  const pathFor = (taskId: string): string =>
    `/webhooks/kie/${taskId}/${digestOf(taskId).toString('base64url')}`;

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
