import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * A hook that asks for `Authorization: Bearer <key>`: this `apiKey`, or any non-empty one when undefined.
 * Refused requests get their envelope under HTTP 200 (kie.ai docs: "Getting Started").
 */
export function authorize(apiKey: string | undefined, refused: object) {
  return function checkBearer(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    const [, key] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (key === undefined || (apiKey !== undefined && key !== apiKey)) reply.send(refused);
    else done();
  };
}
