import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Forwarded } from './forwarded.ts';
import type { OriginPolicy } from './origin-policy.ts';

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
