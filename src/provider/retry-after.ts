/** Nobody is sent away for longer. */
const MAX_MS = 24 * 60 * 60 * 1000;

/**
 * The header in ms from `now` on (RFC 9110, 10.2.3: seconds, or an HTTP date), a day at most; null when it says nothing
 * usable.
 */
export function readRetryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  const at = /^\d+$/.test(header.trim()) ? now + Number(header) * 1000 : Date.parse(header);
  return Number.isNaN(at) ? null : Math.min(Math.max(0, at - now), MAX_MS);
}
