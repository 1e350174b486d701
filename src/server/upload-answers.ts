import type { UploadOutcome, Upload } from '../images/upload.ts';
import { problem, type Problem } from '../problem.ts';
import { refusalHeaders, refusalHint, type Refusal } from '../limits/refusal.ts';

/** What an upload is answered with. */
export interface UploadAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: UploadedPicture | Problem;
}

/** The JSON that tells of a picture that was taken. */
export interface UploadedPicture {
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
export function notAdmitted(refusal: Refusal): UploadAnswer {
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

function describe({ bytes, contentType, expiresAt, height, url, width }: Upload): UploadedPicture {
  return { url, expiresAt: new Date(expiresAt).toISOString(), contentType, width, height, bytes };
}
