import { Bytes, type Parser } from './bytes.ts';
import { readJpeg } from './jpeg.ts';
import { MAX_PICTURE_BYTES, assertFits, broken, tooLarge, unknownType, type Picture } from './picture.ts';
import { readPng } from './png.ts';
import { readWebp } from './webp.ts';

/** Looks at a picture while it streams by; decodes nothing and keeps nothing of it. */
export interface Inspector {
  /** Throws PictureError as soon as the bytes so far cannot be those of a picture that the model takes. */
  push(chunk: Buffer): void;
  /** No more bytes come. Throws PictureError when the picture is not whole. */
  end(): Picture;
  /** What is known so far, null before its pixels begin. */
  readonly picture: Picture | null;
}

export function createInspector(): Inspector {
  let length = 0;
  let picture: Picture | null = null;
  const parser = readPicture((found) => {
    assertFits(found);
    picture = found;
  });
  // To where it asks for the first chunk.
  let isWhole = parser.next().done === true;

  return {
    get picture() {
      return picture;
    },
    push(chunk) {
      length += chunk.length;
      if (length > MAX_PICTURE_BYTES) throw tooLarge();
      // Cameras and editors put all kinds of things behind the end.
      isWhole ||= parser.next(chunk).done === true;
    },
    end() {
      if (length === 0) throw broken('it is empty');
      if (length < SIGNATURE_LENGTH) throw unknownType();
      if (!isWhole || picture === null) throw broken('it ends too early');
      return picture;
    },
  };
}

const SIGNATURE_LENGTH = 3;

function* readPicture(found: (picture: Picture) => void): Parser<void> {
  const bytes = new Bytes();
  const signature = (yield* bytes.take(SIGNATURE_LENGTH)).toString('latin1');
  if (signature === '\xff\xd8\xff') yield* readJpeg(bytes, found);
  else if (signature === '\x89PN') yield* readPng(bytes, found);
  else if (signature === 'RIF') yield* readWebp(bytes, found);
  else throw unknownType();
}
