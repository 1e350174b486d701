/** The header in ms from `now` on (RFC 9110, 10.2.3: seconds, or an HTTP date); null when it says nothing usable. */
export function readRetryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  const at = /^\d+$/.test(header.trim()) ? now + Number(header) * 1000 : Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
