import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createApiKeys, bearerIn } from '../auth/authenticate.ts';
import { isLoopback, isOnLoopback } from '../config/loopback.ts';
import { PROBLEM_MEDIA_TYPE, problem } from './problem.ts';
import type { Forwarded } from './forwarded.ts';
import { parseUrl } from '../url.ts';
import type { RateLimit } from '../limits/rate.ts';

interface MetricsOptions {
  /** All metrics as text, and its media type. */
  readonly scrape: () => Promise<{ readonly type: string; readonly text: string }>;
  /** Opens them from wherever, and is asked for everywhere; null: they are shown to this machine alone. */
  readonly token: string | null;
  /** A proxy is configured, so that a connection from this machine may be anybody's. */
  readonly isBehindProxy: boolean;
  /** Counts wrong tokens of an address; returns how many ms to wait when there were too many. */
  readonly countWrong: RateLimit;
  readonly forwarded: Forwarded;
}

/**
 * `/metrics`: for whoever has the token. Without one, for whoever asks from this machine itself and by a loopback name; what a
 * proxy says that it has passed on comes from elsewhere, though its connection begins here.
 */
export function metricsRoute(app: FastifyInstance, options: MetricsOptions): void {
  const { countWrong, forwarded, isBehindProxy, scrape, token } = options;
  const whose = createApiKeys(token === null ? [] : [{ owner: 'metrics', key: token }]);
  app.get('/metrics', async (request, reply) => {
    const given = bearerIn(request.headers.authorization) ?? '';
    const isAllowed = token === null ? !isBehindProxy && isFromHere(request) : whose(given) !== null;
    if (!isAllowed) {
      const isGuess = token !== null && given !== '';
      const waitMs = isGuess ? await countWrong(forwarded.addressOf(request.raw)) : null;
      return waitMs === null ? refuse(reply, token !== null) : refuseGuess(reply, waitMs);
    }
    const { text, type } = await scrape();
    return reply.headers({ 'content-type': type, 'cache-control': 'no-store' }).send(text);
  });
}

/** What proxies and tunnels add to a request that they pass on. */
const PASSED_ON =
  /^(?:forwarded|via|x-(?:forwarded|original|envoy|cluster|appengine|azure|client|real)-.*|cf-.*|true-client-ip|fastly-.*|cdn-loop)$/;

function isFromHere({ headers, raw }: FastifyRequest): boolean {
  if (!isLoopback(raw.socket.remoteAddress ?? '')) return false;
  if (Object.keys(headers).some((name) => PASSED_ON.test(name))) return false;
  const named = parseUrl(`http://${headers.host ?? ''}`);
  return named !== null && isOnLoopback(named);
}

function refuseGuess(reply: FastifyReply, waitMs: number): FastifyReply {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  const refusal = problem(429, 'Too many wrong tokens came from this address.', {
    hint: `Try again in ${seconds} s.`,
  });
  return reply.code(429).header('retry-after', String(seconds)).type(PROBLEM_MEDIA_TYPE).send(refusal);
}

function refuse(reply: FastifyReply, hasToken: boolean): FastifyReply {
  reply.type(PROBLEM_MEDIA_TYPE).header('cache-control', 'no-store');
  return hasToken
    ? reply
        .code(401)
        .header('www-authenticate', 'Bearer')
        .send(
          problem(401, 'This is no key to the metrics.', {
            hint: 'Send "Authorization: Bearer <METRICS_TOKEN>".',
          }),
        )
    : reply.code(404).send(
        problem(404, 'Metrics are shown to this machine itself only.', {
          hint: 'Whoever runs this gateway can open them to others with METRICS_TOKEN.',
        }),
      );
}
