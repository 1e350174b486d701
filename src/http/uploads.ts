import type { IncomingMessage, ServerResponse } from 'node:http';
import { tooLarge } from '../images/image.ts';
import type { Upload, UploadImage, UploadOutcome } from '../images/upload.ts';
import { IMAGES_OF_ANY_MODEL } from '../models/index.ts';
import { createConcurrencyLimit } from '../limits/concurrency.ts';
import type { Overload } from '../limits/overload.ts';
import { refusal, retryLater, secondsOf, type Refusal } from '../limits/refusal.ts';
import type { Authorize } from './authorize.ts';
import type { Forwarded } from './forwarded.ts';
import type { OriginPolicy } from './origins.ts';
import { sendRefusal } from './problem.ts';
import type { RequestLog } from './request-log.ts';
import type { Route } from './router.ts';
import { atLeastPace, TooSlowError } from './slow-clients.ts';

interface UploadsOptions {
  readonly authorize: Authorize;
  readonly forwarded: Forwarded;
  readonly mayCall: OriginPolicy;
  /** Whether all clients are one owner. */
  readonly isOpen: boolean;
  /** How many uploads may run at a time. */
  readonly maxUploads: number;
  readonly overload: Overload;
  readonly requests: RequestLog;
  readonly upload: UploadImage;
}

/** `POST /uploads`: the body is an image. All checks that need no body come before the body is read. */
export function uploadsRoute(options: UploadsOptions): Route {
  const process = createProcess(options);
  return {
    name: '/uploads',
    methods: ['POST'],
    async handle(request, response) {
      const outcome = await process(request);
      if ('status' in outcome) sendRefusal(response, outcome);
      else sendUpload(response, outcome);
    },
  };
}

type Uploaded = Extract<UploadOutcome, { kind: 'uploaded' }>;

/** 201 for an image that was passed on to the provider, 200 for one that the provider had already. */
function sendUpload(response: ServerResponse, { isNew, upload }: Uploaded): void {
  const { bytes, contentType, expiresAt, height, url, width }: Upload = upload;
  const expires = new Date(expiresAt).toISOString();
  const body = JSON.stringify({ url, expiresAt: expires, contentType, width, height, bytes });
  response.writeHead(isNew ? 201 : 200, {
    Location: url,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** Slower than any connection that delivers an image within REQUEST_TIMEOUT_MS. */
const LEAST_PACE = { bytes: 5 * 1024, windowMs: 5000 };

/** Web forms, and pages without permission, can send other types or none. */
const MEDIA_TYPE = /^(?:image\/[\w.+-]+|application\/octet-stream)\s*(?:;|$)/i;

function createProcess(options: UploadsOptions): (request: IncomingMessage) => Promise<Uploaded | Refusal> {
  const { authorize, forwarded, isOpen, mayCall, maxUploads, overload, requests, upload } = options;
  const places = createPlaces(maxUploads, isOpen);

  return async (request) => {
    const { headers } = request;
    if (!mayCall(headers.origin, forwarded.siteOf(request))) return REFUSALS.origin;
    const overloaded = overload.refusal();
    if (overloaded) return overloaded;
    const authorization = await authorize(request);
    if ('refusal' in authorization) return authorization.refusal;
    const { owner } = authorization.principal;
    requests.note(request, { owner });
    if (!MEDIA_TYPE.test(headers['content-type'] ?? '')) return REFUSALS.mediaType;
    if (Number(headers['content-length']) > IMAGES_OF_ANY_MODEL.maxBytes)
      return refusalOf({ kind: 'unfit', issue: tooLarge(IMAGES_OF_ANY_MODEL) });
    const noPlace = places.take(owner);
    if (noPlace) return noPlace;
    try {
      // The connection of the request has to carry the response, so the iterator must not destroy it.
      const source = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      const outcome = await upload(owner, atLeastPace(source, LEAST_PACE));
      return outcome.kind === 'uploaded' ? outcome : refusalOf(outcome);
    } catch (error) {
      if (request.destroyed && !request.readableEnded) return REFUSALS.abandoned;
      if (error instanceof TooSlowError) return REFUSALS.tooSlow;
      throw error;
    } finally {
      places.leave(owner);
    }
  };
}

interface Places {
  /** Returns null if the owner got a place, which it has to leave later. */
  take(owner: string): Refusal | null;
  leave(owner: string): void;
}

/** Separate owners get at most half of all places, and the first place of each does not depend on the others. */
function createPlaces(maxUploads: number, isOpen: boolean): Places {
  const perOwner = createConcurrencyLimit(isOpen ? maxUploads : Math.ceil(maxUploads / 2));
  let all = 0;
  return {
    take(owner) {
      if (all >= maxUploads && perOwner.count(owner) > 0) return REFUSALS.busy;
      if (!perOwner.add(owner)) return REFUSALS.share;
      all += 1;
      return null;
    },
    leave(owner) {
      perOwner.remove(owner);
      all -= 1;
    },
  };
}

/** When to retry if the provider or the store does not say. */
const RETRY_AFTER_S = 5;

function refusalOf(outcome: Exclude<UploadOutcome, Uploaded>): Refusal {
  switch (outcome.kind) {
    case 'unfit': {
      const { code, message } = outcome.issue;
      return refusal(STATUS_BY_CODE[code] ?? 422, message, 'Send another image.', { code });
    }
    case 'refused': {
      const hint = 'Try another image. If the provider rejects all images, see the log of the gateway.';
      const message = `The provider rejected the image: ${outcome.message}`;
      return refusal(502, message, hint, { code: 'PROVIDER_REFUSED' });
    }
    case 'unavailable': {
      const seconds = secondsOf(outcome.retryAfterMs ?? RETRY_AFTER_S * 1000);
      return retryLater(503, 'The image cannot be passed on right now.', seconds, sendAgain(seconds));
    }
  }
}

const STATUS_BY_CODE: Readonly<Record<string, number>> = { IMAGE_TYPE: 415, IMAGE_TOO_LARGE: 413 };

const REFUSALS = {
  origin: refusal(
    403,
    'Pages of this origin may not upload here.',
    'The operator of this gateway can allow the origin with ALLOWED_ORIGINS.',
    { code: 'FORBIDDEN_ORIGIN' },
  ),
  mediaType: refusal(
    415,
    'The body is not declared as an image.',
    `Send the image itself as the body, with one of these as Content-Type: ${IMAGES_OF_ANY_MODEL.mediaTypes.join(', ')}.`,
    { code: 'IMAGE_TYPE' },
  ),
  busy: retryLater(503, 'Too many images are being uploaded.', RETRY_AFTER_S, sendAgain(RETRY_AFTER_S)),
  share: retryLater(
    429,
    'Too many of your images are being uploaded.',
    RETRY_AFTER_S,
    'Send the next image when one of them has arrived.',
  ),
  tooSlow: refusal(
    408,
    'The image arrived too slowly.',
    'Send it again over a faster connection, or scale it down: at least 5 KiB have to arrive every 5 seconds.',
    // The rest of the body is not awaited.
    { code: 'UPLOAD_TOO_SLOW', headers: { Connection: 'close' } },
  ),
  /** No client reads this one, but the log has a status. */
  abandoned: refusal(400, 'The image did not arrive completely.', 'Send it again.'),
} satisfies Readonly<Record<string, Refusal>>;

function sendAgain(seconds: number): string {
  return `Send it again in ${seconds} s.`;
}
