import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { MAX_PICTURE_BYTES, tooLarge } from '../images/image.ts';
import type { UploadPicture } from '../images/upload.ts';
import { PROBLEM_MEDIA_TYPE } from '../problem.ts';
import type { Admit } from './admission.ts';
import type { AllowOrigin } from './cors.ts';
import type { Forwarded } from './forwarded.ts';
import { TooSlowError, atLeastPace } from './least-pace.ts';
import type { OriginPolicy } from './origin-policy.ts';
import type { Overload } from '../limits/overload.ts';
import type { RequestLog } from './request-log.ts';
import { REFUSALS, answerTo, notAdmitted, type UploadAnswer } from './upload-answers.ts';

const UPLOADS_PATH = '/uploads';

/** How much is still read of a picture that was refused, so that its sender sees why and not a reset. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024;

export interface UploadsOptions {
  readonly admit: Admit;
  readonly forwarded: Forwarded;
  readonly mayCall: OriginPolicy;
  readonly allowOrigin: AllowOrigin;
  /** Whether all callers are one owner. */
  readonly isOpen: boolean;
  /** How many pictures may be under way at a time. */
  readonly maxUploads: number;
  readonly overload: Overload;
  readonly requests: RequestLog;
  readonly upload: UploadPicture;
}

/**
 * `POST /uploads`: takes a picture as it is, as the whole body, and answers with its address. Whatever speaks against it is
 * said as soon as it is known, as problem details.
 */
export function uploadsRoute(app: FastifyInstance, options: UploadsOptions): void {
  const { allowOrigin, forwarded, mayCall } = options;
  const answer = createAnswer(options);

  app.route({
    url: UPLOADS_PATH,
    method: 'POST',
    onRequest: (request, reply, done) => {
      allowOrigin(request.raw, reply.raw);
      done();
    },
    handler: async (request, reply) => {
      const isWelcome = mayCall(request.headers.origin, forwarded.siteOf(request.raw));
      try {
        return await send(reply, isWelcome ? await answer(request) : REFUSALS.origin);
      } finally {
        discardRest(request.raw);
      }
    },
    errorHandler: (error: FastifyError, request, reply) => {
      if (error.code !== 'FST_ERR_CTP_INVALID_MEDIA_TYPE') throw error;
      discardRest(request.raw);
      void send(reply, REFUSALS.mediaType);
    },
  });
}

function send(reply: FastifyReply, { body, headers, status }: UploadAnswer): FastifyReply {
  const type = status < 400 ? 'application/json; charset=utf-8' : PROBLEM_MEDIA_TYPE;
  return reply
    .code(status)
    .headers({ 'content-type': type, ...headers })
    .send(JSON.stringify(body));
}

/** Slower than any line that brings a picture within REQUEST_TIMEOUT_MS. */
const LEAST_PACE = { bytes: 5 * 1024, windowMs: 5000 };

interface Places {
  /** null when the owner got one, which it has to leave again. */
  take(owner: string): UploadAnswer | null;
  leave(owner: string): void;
}

/** Owners that are told apart have half of all places at most, and the first one of each never depends on the others. */
function createPlaces(all: number, isOpen: boolean): Places {
  const share = isOpen ? all : Math.ceil(all / 2);
  const taken = new Map<string, number>();
  let sum = 0;
  return {
    take(owner) {
      const own = taken.get(owner) ?? 0;
      if (own > 0 && sum >= all) return REFUSALS.busy;
      if (own >= share) return REFUSALS.share;
      taken.set(owner, own + 1);
      sum += 1;
      return null;
    },
    leave(owner) {
      const left = (taken.get(owner) ?? 1) - 1;
      if (left > 0) taken.set(owner, left);
      else taken.delete(owner);
      sum -= 1;
    },
  };
}

function createAnswer({
  admit,
  isOpen,
  maxUploads,
  overload,
  requests,
  upload,
}: UploadsOptions): (request: FastifyRequest) => Promise<UploadAnswer> {
  const places = createPlaces(maxUploads, isOpen);

  return async ({ headers, raw }) => {
    const refusal = overload.refusal();
    if (refusal) return notAdmitted(refusal);
    const admission = await admit(raw);
    if ('refusal' in admission) return notAdmitted(admission.refusal);
    requests.note(raw, { owner: admission.caller.owner });
    if (!MEDIA_TYPE.test(headers['content-type'] ?? '')) return REFUSALS.mediaType;
    if (Number(headers['content-length']) > MAX_PICTURE_BYTES)
      return answerTo({ kind: 'unfit', issue: tooLarge() });
    const { owner } = admission.caller;
    const noPlace = places.take(owner);
    if (noPlace) return noPlace;
    try {
      // Without destroying the request: it is its connection that has to carry the answer.
      const source = raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      return answerTo(await upload(owner, atLeastPace(source, LEAST_PACE)));
    } catch (error) {
      if (raw.destroyed && !raw.readableEnded) return REFUSALS.abandoned;
      if (error instanceof TooSlowError) return REFUSALS.tooSlow;
      throw error;
    } finally {
      places.leave(owner);
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
