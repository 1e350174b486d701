import type { ImageIssue, ImageIssueCode } from '../tasks/validate-input.ts';

/** What the header of an image says. */
export interface Image {
  readonly contentType: 'image/jpeg' | 'image/png' | 'image/webp';
  readonly width: number;
  readonly height: number;
}

/** The provider would reject this image. */
export class ImageError extends Error implements ImageIssue {
  override readonly name = 'ImageError';
  readonly code: ImageIssueCode;

  constructor(code: ImageIssueCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The provider's page on the model: 10.0 MB. */
export const MAX_IMAGE_BYTES = 10 * 1024 * 1024;

/** The short side must be longer than this. MiniMax makes the model; its resellers state this limit and the next one. */
const SHORT_SIDE = 300;
/** The long side divided by the short one: from 2:5 to 5:2. */
const MAX_RATIO = 5 / 2;
/** No camera puts as many into 10 MB; an image that has more was made to exhaust whoever decodes it. */
const MAX_PIXELS = 100_000_000;

/** Throws ImageError unless the model takes an image of these dimensions. */
export function assertFits({ height, width }: Image): void {
  const size = `The image has ${width} × ${height} pixels`;
  const short = Math.min(width, height);
  if (width * height > MAX_PIXELS)
    throw new ImageError('IMAGE_TOO_MANY_PIXELS', `${size}; make it smaller than 100 megapixels.`);
  if (short <= SHORT_SIDE)
    throw new ImageError('IMAGE_TOO_SMALL', `${size}; both sides must be longer than ${SHORT_SIDE}.`);
  if (Math.max(width, height) / short > MAX_RATIO)
    throw new ImageError(
      'IMAGE_ASPECT_RATIO',
      `${size}; its aspect ratio must be between 2:5 and 5:2. Crop it.`,
    );
}

export function tooLarge(): ImageError {
  return new ImageError('IMAGE_TOO_LARGE', 'The image is larger than 10 MB; compress it or scale it down.');
}

export function broken(what: string): ImageError {
  return new ImageError('IMAGE_BROKEN', `The image is broken: ${what}. Export it again.`);
}

export function animated(): ImageError {
  return new ImageError('IMAGE_ANIMATED', 'The image is animated; export one of its frames.');
}

export function unknownType(): ImageError {
  return new ImageError(
    'IMAGE_TYPE',
    'The image is neither JPEG, PNG nor WebP, whatever its name says; convert it to one of them.',
  );
}
