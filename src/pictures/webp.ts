import type { Bytes, Parser } from './bytes.ts';
import { animated, assertFits, broken, unknownType, type Picture } from './picture.ts';

type Size = Pick<Picture, 'width' | 'height'>;

/** How much of a chunk is looked at: all that any of those that matter says of the size. */
const START_LENGTH = 10;

/**
 * The header of a WebP from behind its first three bytes: chunk by chunk to that of its frame (RFC 9649). What follows is not
 * looked at.
 */
export function* readWebp(bytes: Bytes): Parser<Picture> {
  const riff = yield* bytes.take(9);
  // The same form holds sounds and films.
  if (riff.toString('latin1', 0, 1) !== 'F' || riff.toString('latin1', 5) !== 'WEBP') throw unknownType();
  let left = riff.readUInt32LE(1) - 4;
  let canvas: Size | null = null;
  while (left >= 8) {
    bytes.count();
    const header = yield* bytes.take(8);
    const type = header.toString('latin1', 0, 4);
    // Chunks of odd length are padded.
    const length = Math.min(header.readUInt32LE(4) + (header.readUInt32LE(4) % 2), left - 8);
    const start = yield* bytes.take(Math.min(length, START_LENGTH));
    if (type === 'VP8X') canvas = canvasOf(start);
    if (type === 'VP8 ' || type === 'VP8L') return imageOfWebp(type, start, canvas);
    yield* bytes.skip(length - start.length);
    left -= 8 + length;
  }
  throw broken('it has no pixels');
}

/** A still frame is as large as its canvas: decoders refuse any other, and the frame is what has to fit. */
function imageOfWebp(type: 'VP8 ' | 'VP8L', start: Buffer, canvas: Size | null): Picture {
  const size = type === 'VP8 ' ? lossySize(start) : losslessSize(start);
  const { height, width } = size;
  if (canvas && (canvas.width !== width || canvas.height !== height))
    throw broken(`its frame of ${width} × ${height} pixels is not as large as its canvas`);
  return asPicture(size);
}

/** RFC 9649, 2.7: the extended header. */
function canvasOf(start: Buffer): Size {
  if (start.length < 10) throw broken('its header is too short');
  if (start.readUInt8(0) & 0x02) throw animated();
  return asPicture({ width: start.readUIntLE(4, 3) + 1, height: start.readUIntLE(7, 3) + 1 });
}

function asPicture({ height, width }: Size): Picture {
  const picture = { contentType: 'image/webp', width, height } as const;
  assertFits(picture);
  return picture;
}

/** RFC 6386, 9.1: a key frame, its start code, and twice 14 bits. */
function lossySize(start: Buffer): Size {
  const isKeyFrame = start.length >= 10 && (start.readUInt8(0) & 1) === 0;
  if (!isKeyFrame || start.readUIntBE(3, 3) !== 0x9d012a) throw broken('its frame header is damaged');
  const [width, height] = [start.readUInt16LE(6) & 0x3fff, start.readUInt16LE(8) & 0x3fff];
  if (width === 0 || height === 0) throw broken('it has no size');
  return { width, height };
}

/** RFC 9649, 3.4: a signature, twice 14 bits, and a version, which is 0. */
function losslessSize(start: Buffer): Size {
  if (start.length < 5 || start.readUInt8(0) !== 0x2f) throw broken('its frame header is damaged');
  const bits = start.readUInt32LE(1);
  if (bits >>> 29 !== 0) throw broken('its frame has an unknown version');
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}
