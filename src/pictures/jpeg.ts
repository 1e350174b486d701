import type { Bytes, Parser } from './bytes.ts';
import { assertFits, broken, type Picture } from './picture.ts';

// ITU-T T.81, table B.1: the second bytes of markers.
const START_OF_FRAME_0 = 0xc0;
const START_OF_FRAME_15 = 0xcf;
const END_OF_IMAGE = 0xd9;
const START_OF_SCAN = 0xda;
/** What lies among the frames and is none: tables, and a marker that is reserved. */
const NO_FRAMES = [0xc4, 0xc8, 0xcc];
/** Those without a length behind them: padding, TEM, restarts, and the start of an image. */
const BARE = [0x00, 0x01, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8];
const FRAME_HEADER = 8;

/**
 * The header of a JPEG from behind its first three bytes, the last of which begins a marker: segment by segment to its first
 * scan (ITU-T T.81, annex B). What follows is not looked at: cameras leave out the end, or write behind it.
 */
export function* readJpeg(bytes: Bytes): Parser<Picture> {
  let picture: Picture | null = null;
  for (let marker = yield* nextMarker(bytes, true); ; marker = yield* nextMarker(bytes)) {
    bytes.count();
    if (marker === END_OF_IMAGE) throw broken('it has no pixels');
    if (BARE.includes(marker)) continue;
    const length = (yield* bytes.take(2)).readUInt16BE();
    if (marker === START_OF_SCAN) {
      if (picture === null) throw broken('its pixels come before its size');
      return picture;
    }
    if (isFrame(marker)) {
      if (picture !== null) throw broken('it has two sizes');
      picture = imageOfJpeg(marker, length, yield* bytes.take(Math.max(0, length - 2)));
    }
    // A length counts its own two bytes; decoders take a shorter one for an empty segment.
    else yield* bytes.skip(Math.max(0, length - 2));
  }
}

/** Before the code of a marker any number of bytes 0xFF may stand; decoders pass over whatever is no marker. */
function* nextMarker(bytes: Bytes, isBegun = false): Parser<number> {
  for (let hasBegun = isBegun; ;) {
    const chunk = yield* bytes.peek();
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (byte === 0xff) hasBegun = true;
      else if (hasBegun) {
        bytes.drop(at + 1);
        return byte;
      }
    }
    bytes.drop(chunk.length);
  }
}

/** Browsers and the usual decoders open 8 bits, Huffman-coded, sequential or progressive: SOF0 to SOF2. */
function imageOfJpeg(marker: number, length: number, frame: Buffer): Picture {
  if (marker > 0xc2)
    throw broken('it is lossless, hierarchical or coded arithmetically, which few programs open');
  if (length < FRAME_HEADER) throw broken('its frame header is too short');
  const components = frame.readUInt8(5);
  if (frame.readUInt8(0) !== 8) throw broken('it does not have 8 bits for each colour');
  if (![1, 3, 4].includes(components)) throw broken('it has neither 1, 3 nor 4 colours');
  if (length !== FRAME_HEADER + 3 * components) throw broken('its frame header is damaged');
  const [height, width] = [frame.readUInt16BE(1), frame.readUInt16BE(3)];
  if (width === 0 || height === 0) throw broken('it has no size');
  const picture = { contentType: 'image/jpeg', width, height } as const;
  assertFits(picture);
  return picture;
}

function isFrame(marker: number): boolean {
  return marker >= START_OF_FRAME_0 && marker <= START_OF_FRAME_15 && !NO_FRAMES.includes(marker);
}
