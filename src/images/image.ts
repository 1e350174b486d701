import type { ImageRules, MediaType } from '../models/define-model.ts';
import type { ImageIssue, ImageIssueCode } from '../tasks/validate-input.ts';

/** What the header of an image says. */
export interface Image {
  readonly contentType: MediaType;
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

/** No camera puts as many into 30 MB; an image that has more was made to exhaust whoever decodes it. */
const MAX_PIXELS = 100_000_000;

/** Throws ImageError unless a model with these rules takes the image. */
export function assertFits({ contentType, height, width }: Image, rules: ImageRules): void {
  const { maxRatio, maxSide, mediaTypes, minSide } = rules;
  if (!mediaTypes.includes(contentType)) throw unknownType(rules, contentType);
  const size = `The image has ${width} × ${height} pixels`;
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  if (width * height > MAX_PIXELS)
    throw new ImageError('IMAGE_TOO_MANY_PIXELS', `${size}; make it smaller than 100 megapixels.`);
  if (maxSide !== null && long > maxSide)
    throw new ImageError('IMAGE_TOO_MANY_PIXELS', `${size}; no side may be longer than ${maxSide}.`);
  if (minSide !== null && short < minSide)
    throw new ImageError('IMAGE_TOO_SMALL', `${size}; both sides must have at least ${minSide}.`);
  if (maxRatio !== null && long / short > maxRatio)
    throw new ImageError(
      'IMAGE_ASPECT_RATIO',
      `${size}; the longer side may be at most ${maxRatio} times the shorter one. Crop it.`,
    );
}

export function tooLarge({ maxBytes }: ImageRules): ImageError {
  const most = `${maxBytes / 1024 / 1024} MB`;
  return new ImageError('IMAGE_TOO_LARGE', `The image is larger than ${most}; compress it or scale it down.`);
}

export function broken(what: string): ImageError {
  return new ImageError('IMAGE_BROKEN', `The image is broken: ${what}. Export it again.`);
}

export function animated(): ImageError {
  return new ImageError('IMAGE_ANIMATED', 'The image is animated; export one of its frames.');
}

/** For an image of another type, whatever its name says. */
export function unknownType({ mediaTypes }: ImageRules, is?: MediaType): ImageError {
  const types = mediaTypes.map((type) => NAMES[type]);
  const wanted = `${types.slice(0, -1).join(', ')} or ${types.at(-1) ?? ''}`;
  const what = is === undefined ? `not ${wanted}` : NAMES[is];
  const takes = is === undefined ? '' : `, and the model takes ${wanted} only`;
  return new ImageError('IMAGE_TYPE', `The image is ${what}, whatever its name says${takes}. Convert it.`);
}

const NAMES: Readonly<Record<MediaType, string>> = {
  'image/jpeg': 'JPEG',
  'image/png': 'PNG',
  'image/webp': 'WebP',
  'image/heic': 'HEIC',
};
