import type { IncomingMessage } from 'node:http';
import { bearerIn, createApiKeys } from '../auth/authenticate.ts';
import { isLoopback, isOnLoopback } from '../config/loopback.ts';
import type { RateLimit } from '../limits/rate.ts';
import { refusal, retryLater, secondsOf, type Refusal } from '../limits/refusal.ts';
import { parseUrl } from '../url.ts';
import type { Forwarded } from './forwarded.ts';
import { sendRefusal } from './problem.ts';
import { READ_METHODS, type Route } from './router.ts';

interface MetricsOptions {
  /** All metrics as text, and the media type of that text. */
  readonly scrape: () => Promise<{ readonly type: string; readonly text: string }>;
  /** Required of every client; null: only this machine may read the metrics. */
  readonly token: string | null;
  /** With a proxy, a connection from this machine may carry requests of any other. */
  readonly isBehindProxy: boolean;
  /** Counts a wrong token of an address; returns the ms to wait if there were too many. */
  readonly countWrong: RateLimit;
  readonly forwarded: Forwarded;
}

/** `/metrics`: for clients with the token. Without a token, for direct requests from this machine to a loopback name. */
export function metricsRoute({ countWrong, forwarded, isBehindProxy, scrape, token }: MetricsOptions): Route {
  const ownerOf = createApiKeys(token === null ? [] : [{ owner: 'metrics', key: token }]);

  async function refusalOf(request: IncomingMessage): Promise<Refusal | null> {
    if (token === null) return !isBehindProxy && isFromHere(request) ? null : LOCAL_ONLY;
    const given = bearerIn(request.headers.authorization) ?? '';
    if (ownerOf(given) !== null) return null;
    const waitMs = given === '' ? null : await countWrong(forwarded.addressOf(request));
    if (waitMs === null) return NO_TOKEN;
    return retryLater(429, 'Too many wrong tokens came from this address.', secondsOf(waitMs));
  }

  return {
    name: '/metrics',
    methods: READ_METHODS,
    async handle(request, response) {
      response.setHeader('Cache-Control', 'no-store');
      const refused = await refusalOf(request);
      if (refused) {
        sendRefusal(response, refused);
        return;
      }
      const { text, type } = await scrape();
      response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) }).end(text);
    },
  };
}

/** Headers that proxies and tunnels add to forwarded requests. */
const FORWARDED =
  /^(?:forwarded|via|x-(?:forwarded|original|envoy|cluster|appengine|azure|client|real)-.*|cf-.*|true-client-ip|fastly-.*|cdn-loop)$/;

function isFromHere({ headers, socket }: IncomingMessage): boolean {
  if (!isLoopback(socket.remoteAddress ?? '')) return false;
  if (Object.keys(headers).some((name) => FORWARDED.test(name))) return false;
  const named = parseUrl(`http://${headers.host ?? ''}`);
  return named !== null && isOnLoopback(named);
}

const NO_TOKEN = refusal(
  401,
  'The metrics token is missing or wrong.',
  'Send "Authorization: Bearer <METRICS_TOKEN>".',
  { headers: { 'WWW-Authenticate': 'Bearer' } },
);

const LOCAL_ONLY = refusal(
  404,
  'Only this machine itself may read the metrics.',
  'The operator of this gateway can allow others with METRICS_TOKEN.',
);
