import { isLoopback, isOnLoopback } from '../config/loopback.ts';

export interface OriginPolicyOptions {
  /** Origins that may always call. */
  readonly allowedOrigins: readonly string[];
  /** Our own address; asked at each use, since with port 0 it is known only once the server listens. */
  readonly publicUrl: () => string | null;
  /** Where we listen. */
  readonly host: string;
}

/**
 * Whether a web page may call us: it is ours, it is allowed, or it and we are both on loopback. No Origin at all means
 * that no web page calls.
 */
export type OriginPolicy = (
  origin: string | null | undefined,
  hostHeader: string | null | undefined,
) => boolean;

export function createOriginPolicy({ allowedOrigins, host, publicUrl }: OriginPolicyOptions): OriginPolicy {
  return (origin, hostHeader) => {
    if (origin === null || origin === undefined) return true;
    if (allowedOrigins.includes(origin) || origin === publicUrl()) return true;
    if (!URL.canParse(origin)) return false;
    const page = new URL(origin);
    if (page.host === hostHeader?.toLowerCase()) return true;
    return isLoopback(host) && isOnLoopback(page);
  };
}
