import type { Response } from './fetch.ts';

/** Which bytes a URL served. */
export interface Version {
  /** An entity tag or a date, for If-Range. */
  readonly validator: string;
}

/** What a 206 says that its body is; the total is null if the server does not know. */
export interface ContentRange {
  readonly start: number;
  readonly total: number | null;
}

/**
 * A validator that proves that two bodies have the same bytes (RFC 9110, 8.8.1): a strong entity tag, or a date of change at least
 * a second before that of the response (8.8.2.2). Null if there is none: then a transfer cannot be resumed.
 */
export function readVersion(headers: Response['headers']): Version | null {
  const { date, etag, 'last-modified': modified } = headers;
  if (typeof etag === 'string' && etag.startsWith('"')) return { validator: etag };
  if (typeof modified !== 'string' || typeof date !== 'string' || etag !== undefined) return null;
  return Date.parse(date) - Date.parse(modified) >= 1000 ? { validator: modified } : null;
}

/** Parses Content-Range (RFC 9110, 14.4); null if it is absent or invalid. */
export function readRange(header: string | readonly string[] | undefined): ContentRange | null {
  const match = typeof header === 'string' ? /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header) : null;
  if (match === null) return null;
  return { start: Number(match[1]), total: match[2] === '*' ? null : Number(match[2]) };
}
