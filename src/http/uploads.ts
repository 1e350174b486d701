import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { MAX_IMAGE_BYTES, tooLarge } from '../images/image.ts';
import type { UploadImage, UploadOutcome, Upload } from '../images/upload.ts';
import { PROBLEM_MEDIA_TYPE, problem, type Problem } from './problem.ts';
import type { Authorize } from './authorize.ts';
import type { AllowOrigin, OriginPolicy } from './origins.ts';
import type { Forwarded } from './forwarded.ts';
import { TooSlowError, atLeastPace } from './slow-clients.ts';
import type { Overload } from '../limits/overload.ts';
import type { RequestLog } from './request-log.ts';
import { refusalHeaders, refusalHint, type Refusal } from '../limits/refusal.ts';

const UPLOADS_PATH = '/uploads';

/** How much is still read of a picture that was refused, so that its sender sees why and not a reset. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024;

interface UploadsOptions {
  readonly admit: Authorize;
  readonly forwarded: Forwarded;
  readonly mayCall: OriginPolicy;
  readonly allowOrigin: AllowOrigin;
  /** Whether all callers are one owner. */
  readonly isOpen: boolean;
  /** How many pictures may be under way at a time. */
  readonly maxUploads: number;
  readonly overload: Overload;
  readonly requests: RequestLog;
  readonly upload: UploadImage;
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
    requests.note(raw, { owner: admission.principal.owner });
    if (!MEDIA_TYPE.test(headers['content-type'] ?? '')) return REFUSALS.mediaType;
    if (Number(headers['content-length']) > MAX_IMAGE_BYTES)
      return answerTo({ kind: 'unfit', issue: tooLarge() });
    const { owner } = admission.principal;
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

/** What an upload is answered with. */
export interface UploadAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: UploadedImage | Problem;
}

/** The JSON that tells of a picture that was taken. */
interface UploadedImage {
  readonly url: string;
  /** Until when the address can be counted on (ISO 8601). */
  readonly expiresAt: string;
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
}

/** For a provider, or a store, that does not say when it will be back. */
const COME_BACK_S = 5;

/** What happened, as an answer: 201 for a picture that was passed on, 200 for one that was there already. */
export function answerTo(outcome: UploadOutcome): UploadAnswer {
  switch (outcome.kind) {
    case 'uploaded':
      return {
        status: outcome.isNew ? 201 : 200,
        headers: { location: outcome.upload.url },
        body: describe(outcome.upload),
      };
    case 'unfit': {
      const { code, message } = outcome.issue;
      return refused(STATUS_BY_CODE[code] ?? 422, message, { code });
    }
    case 'refused':
      return refused(502, `The provider did not take the picture: ${outcome.message}`, {
        code: 'PROVIDER_REFUSED',
        hint: 'Try another picture; if none is taken, whoever runs this gateway should look into its log.',
      });
    case 'unavailable': {
      const seconds = Math.max(1, Math.ceil((outcome.retryAfterMs ?? COME_BACK_S * 1000) / 1000));
      return refused(503, 'The picture cannot be passed on right now.', comeBack(seconds), seconds);
    }
  }
}

const STATUS_BY_CODE: Readonly<Record<string, number>> = { IMAGE_TYPE: 415, IMAGE_TOO_LARGE: 413 };

/** What is said to somebody who is not let in. */
function notAdmitted(refusal: Refusal): UploadAnswer {
  const hint = refusalHint(refusal);
  const { code, message, status } = refusal;
  return {
    ...refused(status, message, { code, ...(hint !== null && { hint }) }),
    headers: refusalHeaders(refusal),
  };
}

export const REFUSALS = {
  origin: refused(403, 'Pages of this origin may not upload here.', {
    code: 'FORBIDDEN_ORIGIN',
    hint: 'Whoever runs this gateway can allow the origin with ALLOWED_ORIGINS.',
  }),
  mediaType: refused(415, 'The body is not declared as a picture.', {
    code: 'IMAGE_TYPE',
    hint: 'Send the picture itself as the body, with Content-Type: image/jpeg, image/png or image/webp.',
  }),
  busy: refused(503, 'Too many pictures are being uploaded.', comeBack(COME_BACK_S), COME_BACK_S),
  share: refused(
    429,
    'You have too many pictures uploading.',
    { code: 'RATE_LIMITED', hint: 'Send the next one when one of them has arrived.' },
    COME_BACK_S,
  ),
  tooSlow: {
    ...refused(408, 'The picture arrived too slowly.', {
      code: 'UPLOAD_TOO_SLOW',
      hint: 'Send it again over a faster connection, or scale it down: at least 5 KiB have to arrive every 5 seconds.',
    }),
    // What is left of it is not waited for.
    headers: { connection: 'close' },
  },
  /** Nobody reads it, but the log has a status. */
  abandoned: refused(400, 'The picture did not arrive whole.', { hint: 'Send it again.' }),
} satisfies Readonly<Record<string, UploadAnswer>>;

function comeBack(seconds: number): { readonly code: string; readonly hint: string } {
  return { code: 'SERVICE_UNAVAILABLE', hint: `Send it again in ${seconds} s.` };
}

function refused(
  status: number,
  detail: string,
  extras: { readonly code?: string; readonly hint?: string },
  retryAfterS?: number,
): UploadAnswer {
  return {
    status,
    headers: retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) },
    body: problem(status, detail, extras),
  };
}

function describe({ bytes, contentType, expiresAt, height, url, width }: Upload): UploadedImage {
  return { url, expiresAt: new Date(expiresAt).toISOString(), contentType, width, height, bytes };
}
