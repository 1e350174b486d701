import type { FastifyRequest } from 'fastify';
import { type Envelope, refusal, success } from './envelope.ts';

/**
 * `POST /api/v1/common/download-url`: a link to a result file for 20 minutes (kie.ai docs: "Get Download URL"). Files of the
 * sandbox are public anyway, so it is the same address; any other one is 422, as there.
 */
export function downloadUrlHandler(filesUrl: () => string) {
  return function downloadUrl({ body }: FastifyRequest): Envelope {
    const url = (body as { readonly url?: unknown } | null)?.url;
    const isOurs = typeof url === 'string' && url.startsWith(`${filesUrl()}/`);
    return isOurs ? success(url) : refusal(422, 'The url must be one that this service has made');
  };
}
