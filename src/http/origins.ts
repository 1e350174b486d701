import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLoopback, isOnLoopback } from '../config/loopback.ts';
import { parseUrl } from '../url.ts';
import type { Forwarded } from './forwarded.ts';

interface OriginPolicyOptions {
  readonly allowedOrigins: readonly string[];
  /** Our own URL. Called at each use, because with port 0 it is known only once the server listens. */
  readonly publicUrl: () => string | null;
  /** The address on which we listen. */
  readonly host: string;
}

/**
 * Whether a page of an origin may call us: the origin is ours or allowed, or both are on loopback. Without an Origin, no page
 * calls. `site` is the host of the request, with its scheme if that is known.
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
    // If nobody tells the scheme of the request, that of the page is assumed.
    const asked = site?.includes('://') === true ? site : `${page.protocol}//${site ?? ''}`;
    if (parseUrl(asked) && originOf(asked) === origin) return true;
    return isLoopback(host) && isOnLoopback(page);
  };
}

/** As browsers write it: in lower case, without a default port. A text that is no URL stays as it is. */
function originOf(text: string): string {
  const url = parseUrl(text);
  return url ? `${url.protocol}//${url.host}` : text;
}

/** How long browsers may cache the response to a preflight request. */
const MAX_AGE_S = 600;

/** Lets the page that sent a request read the response, refusals included, if the page may call us. */
export type AllowOrigin = (request: IncomingMessage, response: ServerResponse) => void;

export function createAllowOrigin(mayCall: OriginPolicy, { siteOf }: Pick<Forwarded, 'siteOf'>): AllowOrigin {
  return (request, response) => {
    const { origin } = request.headers;
    if (origin === undefined) return;
    response.setHeader('vary', 'Origin');
    if (!mayCall(origin, siteOf(request))) return;
    // There are no cookies, so credentials are not allowed.
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-expose-headers', 'location, retry-after, x-request-id');
  };
}

/** The headers of the response to OPTIONS. Browsers send OPTIONS before JSON, an image or a credential to another origin. */
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
