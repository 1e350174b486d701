import cors from '@fastify/cors';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { MAX_PICTURE_BYTES, tooLarge } from '../pictures/picture.ts';
import type { UploadPicture } from '../pictures/upload-picture.ts';
import { PROBLEM_MEDIA_TYPE } from '../problem.ts';
import type { Admit } from './admission.ts';
import type { Forwarded } from './forwarded.ts';
import type { OriginPolicy } from './origin-policy.ts';
import type { Overload } from './overload.ts';
import { REFUSALS, answerTo, notAdmitted, type UploadAnswer } from './upload-answers.ts';

const UPLOADS_PATH = '/uploads';

/** How much is still read of a picture that was refused, so that its sender sees why and not a reset. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024;
const PREFLIGHT_KEPT_S = 600;

export interface UploadsOptions {
  readonly admit: Admit;
  readonly forwarded: Forwarded;
  readonly mayCall: OriginPolicy;
  /** How many pictures may be under way at a time. */
  readonly maxUploads: number;
  readonly overload: Overload;
  readonly upload: UploadPicture;
}

/**
 * `POST /uploads`: takes a picture as it is, as the whole body, and answers with its address. Whatever speaks against it is
 * said as soon as it is known, as problem details.
 */
export async function uploadsRoute(app: FastifyInstance, options: UploadsOptions): Promise<void> {
  const { forwarded, mayCall } = options;
  const isWelcome = ({ headers, raw }: FastifyRequest): boolean =>
    mayCall(headers.origin, forwarded.hostOf(raw));
  const answer = createAnswer(options);

  await app.register(
    async (scope) => {
      await scope.register(cors, {
        delegator: (request, callback) => {
          callback(null, { ...CORS, origin: isWelcome(request) });
        },
      });
      scope.removeAllContentTypeParsers();
      // The picture is read while it is looked at, and whatever is none by nobody.
      scope.addContentTypeParser('*', (_request, _payload, parsed) => {
        parsed(null);
      });
      scope.route({
        url: '',
        method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
        handler: async (request, reply) => {
          try {
            return await send(reply, isWelcome(request) ? await answer(request) : REFUSALS.origin);
          } finally {
            discardRest(request.raw);
          }
        },
      });
      scope.setErrorHandler((error: FastifyError, request, reply) => {
        if (error.code !== 'FST_ERR_CTP_INVALID_MEDIA_TYPE') throw error;
        discardRest(request.raw);
        return send(reply, REFUSALS.mediaType);
      });
    },
    { prefix: UPLOADS_PATH },
  );
}

function send(reply: FastifyReply, { body, headers, status }: UploadAnswer): FastifyReply {
  const type = status < 400 ? 'application/json; charset=utf-8' : PROBLEM_MEDIA_TYPE;
  return reply
    .code(status)
    .headers({ 'content-type': type, ...headers })
    .send(JSON.stringify(body));
}

const CORS = {
  methods: ['POST'],
  allowedHeaders: ['authorization', 'content-type'],
  exposedHeaders: ['location', 'retry-after'],
  maxAge: PREFLIGHT_KEPT_S,
};

function createAnswer({
  admit,
  maxUploads,
  overload,
  upload,
}: UploadsOptions): (request: FastifyRequest) => Promise<UploadAnswer> {
  let underWay = 0;

  return async ({ headers, method, raw }) => {
    if (method !== 'POST') return REFUSALS.method;
    const refusal = overload.refusal();
    if (refusal) return notAdmitted(refusal);
    const admission = await admit(headers.authorization);
    if ('refusal' in admission) return notAdmitted(admission.refusal);
    if (!MEDIA_TYPE.test(headers['content-type'] ?? '')) return REFUSALS.mediaType;
    if (Number(headers['content-length']) > MAX_PICTURE_BYTES)
      return answerTo({ kind: 'unfit', issue: tooLarge() });
    if (underWay >= maxUploads) return REFUSALS.busy;
    underWay += 1;
    try {
      // Without destroying the request: it is its connection that has to carry the answer.
      const source = raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      return answerTo(await upload(admission.caller.owner, source));
    } catch (error) {
      if (raw.destroyed && !raw.readableEnded) return REFUSALS.abandoned;
      throw error;
    } finally {
      underWay -= 1;
    }
  };
}

/** What a web form or a page without our leave can send has another type, or none. */
const MEDIA_TYPE = /^(?:image\/[\w.+-]+|application\/octet-stream)\s*(?:;|$)/i;

function discardRest(request: IncomingMessage): void {
  let left = MAX_DISCARDED_BYTES;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
}
