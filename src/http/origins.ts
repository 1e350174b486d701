import { isLoopback, isOnLoopback } from '../config/loopback.ts';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Forwarded } from './forwarded.ts';
import { parseUrl } from '../url.ts';

interface OriginPolicyOptions {
  /** Origins that may always call. */
  readonly allowedOrigins: readonly string[];
  /** Our own address; asked at each use, since with port 0 it is known only once the server listens. */
  readonly publicUrl: () => string | null;
  /** Where we listen. */
  readonly host: string;
}

/**
 * Whether a web page may call us: it is ours, it is allowed, or it and we are both on loopback. No Origin at all means
 * that no web page calls. `site` is what the request was sent to: a host, or a scheme and a host.
 */
export type OriginPolicy = (origin: string | null | undefined, site: string | null | undefined) => boolean;

export function createOriginPolicy({ allowedOrigins, host, publicUrl }: OriginPolicyOptions): OriginPolicy {
  const allowed = new Set(allowedOrigins.map(originOf));
  return (text, site) => {
    if (text === null || text === undefined) return true;
    const own = publicUrl();
    const origin = originOf(text);
    if (allowed.has(origin) || (own !== null && origin === originOf(own))) return true;
    const page = parseUrl(text);
    if (!page) return false;
    // A host alone goes with whatever scheme the page has: by whom encryption ends is not always said.
    const asked = site?.includes('://') === true ? site : `${page.protocol}//${site ?? ''}`;
    if (parseUrl(asked) && originOf(asked) === origin) return true;
    return isLoopback(host) && isOnLoopback(page);
  };
}

/** As browsers write it: in lower case, and without a port that goes without saying. What is no URL stays as it is. */
function originOf(text: string): string {
  const url = parseUrl(text);
  return url ? `${url.protocol}//${url.host}` : text;
}

/** How long a browser may remember what it was told beforehand, in seconds. */
const MAX_AGE_S = 600;

/** Lets the page that sent a request read the answer, a refusal as well, when it may call us. */
export type AllowOrigin = (request: IncomingMessage, response: ServerResponse) => void;

export function createAllowOrigin(mayCall: OriginPolicy, { siteOf }: Pick<Forwarded, 'siteOf'>): AllowOrigin {
  return (request, response) => {
    const { origin } = request.headers;
    if (origin === undefined) return;
    response.setHeader('vary', 'Origin');
    if (!mayCall(origin, siteOf(request))) return;
    // Without credentials: there are no cookies.
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-expose-headers', 'location, retry-after, x-request-id');
  };
}

/**
 * The headers that answer OPTIONS: the methods that the URL takes, and what an allowed page may send. Browsers ask before they
 * send JSON, a picture or a credential to another origin.
 */
export function optionsHeaders(
  { headers }: IncomingMessage,
  response: ServerResponse,
  methods: string,
): Readonly<Record<string, string>> {
  const asked = headers['access-control-request-headers'];
  return {
    allow: methods,
    ...(response.hasHeader('access-control-allow-origin') && {
      'access-control-allow-methods': methods,
      ...(asked !== undefined && { 'access-control-allow-headers': asked }),
      'access-control-max-age': String(MAX_AGE_S),
      vary: 'Accept, Origin, Access-Control-Request-Headers',
    }),
  };
}
