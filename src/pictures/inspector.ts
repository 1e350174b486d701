import { Bytes, type Parser } from './bytes.ts';
import { readJpeg } from './jpeg.ts';
import { MAX_PICTURE_BYTES, broken, tooLarge, unknownType, type Picture } from './picture.ts';
import { readPng } from './png.ts';
import { readWebp } from './webp.ts';

/** Reads the header of a picture while it streams by; decodes nothing and keeps nothing of it. */
export interface Inspector {
  /** Throws PictureError as soon as the bytes so far cannot be those of a picture that the model takes. */
  push(chunk: Buffer): void;
  /** No more bytes come. Throws PictureError when the header is not whole. */
  end(): Picture;
  /** What the header says, null before it is whole. */
  readonly picture: Picture | null;
}

export function createInspector(): Inspector {
  let length = 0;
  let picture: Picture | null = null;
  const parser = readPicture();
  // To where it asks for the first chunk.
  parser.next();

  return {
    get picture() {
      return picture;
    },
    push(chunk) {
      length += chunk.length;
      if (length > MAX_PICTURE_BYTES) throw tooLarge();
      picture ??= parser.next(chunk).value ?? null;
    },
    end() {
      if (length === 0) throw broken('it is empty');
      if (length < SIGNATURE_LENGTH) throw unknownType();
      if (picture === null) throw broken('it ends too early');
      return picture;
    },
  };
}

const SIGNATURE_LENGTH = 3;

function* readPicture(): Parser<Picture> {
  const bytes = new Bytes();
  const signature = (yield* bytes.take(SIGNATURE_LENGTH)).toString('latin1');
  if (signature === '\xff\xd8\xff') return yield* readJpeg(bytes);
  if (signature === '\x89PN') return yield* readPng(bytes);
  if (signature === 'RIF') return yield* readWebp(bytes);
  throw unknownType();
}
