import type { ImageIssue, ImageIssueCode } from '../tasks/image-issue.ts';

/** What the header of a picture says. */
export interface Picture {
  readonly contentType: 'image/jpeg' | 'image/png' | 'image/webp';
  readonly width: number;
  readonly height: number;
}

/** A picture that the provider would not take, or could make nothing of. */
export class PictureError extends Error implements ImageIssue {
  override readonly name = 'PictureError';
  readonly code: ImageIssueCode;

  constructor(code: ImageIssueCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The provider's page on the model: 10.0 MB. */
export const MAX_PICTURE_BYTES = 10 * 1024 * 1024;

/** The short side has to be longer than this; the limits of MiniMax, who makes the model, as its resellers state them. */
const SHORT_SIDE = 300;
/** Of the long side to the short one, likewise: from 2:5 to 5:2. */
const MAX_RATIO = 5 / 2;
/** No picture of 10 MB that a camera made comes near; what has more was made to exhaust whoever decodes it. */
const MAX_PIXELS = 100_000_000;

/** Throws PictureError unless the model takes a picture of these dimensions. */
export function assertFits({ height, width }: Picture): void {
  const size = `The picture has ${width} × ${height} pixels`;
  const short = Math.min(width, height);
  if (width * height > MAX_PIXELS)
    throw new PictureError('IMAGE_TOO_MANY_PIXELS', `${size}; make it smaller than 100 megapixels.`);
  if (short <= SHORT_SIDE)
    throw new PictureError('IMAGE_TOO_SMALL', `${size}; both sides must be longer than ${SHORT_SIDE}.`);
  if (Math.max(width, height) / short > MAX_RATIO)
    throw new PictureError(
      'IMAGE_ASPECT_RATIO',
      `${size}; its aspect ratio must be between 2:5 and 5:2. Crop it.`,
    );
}

export function tooLarge(): PictureError {
  return new PictureError(
    'IMAGE_TOO_LARGE',
    'The picture is larger than 10 MB; compress it or scale it down.',
  );
}

export function broken(what: string): PictureError {
  return new PictureError('IMAGE_BROKEN', `The picture is broken: ${what}. Export it anew.`);
}

export function animated(): PictureError {
  return new PictureError('IMAGE_ANIMATED', 'The picture is animated; take one of its frames.');
}

export function unknownType(): PictureError {
  return new PictureError(
    'IMAGE_TYPE',
    'The picture is neither JPEG, PNG nor WebP, whatever its name says; convert it to one of them.',
  );
}
