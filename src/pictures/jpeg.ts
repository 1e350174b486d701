import type { Bytes, Parser } from './bytes.ts';
import { broken, type Picture } from './picture.ts';

// ITU-T T.81, table B.1: the second bytes of markers.
const END_OF_IMAGE = 0xd9;
const START_OF_SCAN = 0xda;

/**
 * A JPEG from behind its first three bytes, the last of which begins a marker, segment by segment to its end (ITU-T T.81,
 * annex B). `found` is told what it is before its pixels are read.
 */
export function* readJpeg(bytes: Bytes, found: (picture: Picture) => void): Parser<void> {
  let hasFrame = false;
  let hasScan = false;
  for (
    let marker = yield* nextMarker(bytes, true);
    marker !== END_OF_IMAGE;
    marker = yield* nextMarker(bytes)
  ) {
    bytes.count();
    if (isFrame(marker) && !hasFrame) {
      found(yield* readFrame(bytes));
      hasFrame = true;
    } else if (hasSegment(marker)) yield* skipSegment(bytes);
    if (marker !== START_OF_SCAN) continue;
    if (!hasFrame) throw broken('its pixels come before its size');
    hasScan = true;
  }
  if (!hasScan) throw broken('it has no pixels');
}

/**
 * Passes over whatever is no marker: the pixels of a scan, in which a byte 0xFF is followed by 0 or a restart marker. Before
 * the code of a marker any number of bytes 0xFF may stand. Byte by byte in the chunk that is here: there are millions.
 */
function* nextMarker(bytes: Bytes, isBegun = false): Parser<number> {
  for (let hasBegun = isBegun; ;) {
    const chunk = yield* bytes.peek();
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (byte === 0xff) hasBegun = true;
      else if (hasBegun) {
        hasBegun = false;
        if (byte === 0 || isRestart(byte)) continue;
        bytes.drop(at + 1);
        return byte;
      }
    }
    bytes.drop(chunk.length);
  }
}

function* readFrame(bytes: Bytes): Parser<Picture> {
  const start = yield* bytes.take(7);
  yield* skipRest(bytes, start.readUInt16BE(0), 7);
  const [height, width] = [start.readUInt16BE(3), start.readUInt16BE(5)];
  if (width === 0 || height === 0) throw broken('it has no size');
  return { contentType: 'image/jpeg', width, height };
}

function* skipSegment(bytes: Bytes): Parser<void> {
  yield* skipRest(bytes, (yield* bytes.take(2)).readUInt16BE(), 2);
}

/** The length of a segment counts its own two bytes. */
function* skipRest(bytes: Bytes, length: number, taken: number): Parser<void> {
  if (length < taken) throw broken('one of its parts is too short');
  yield* bytes.skip(length - taken);
}

function isFrame(marker: number): boolean {
  const isOther = marker === 0xc4 || marker === 0xc8 || marker === 0xcc;
  return marker >= 0xc0 && marker <= 0xcf && !isOther;
}

function isRestart(marker: number): boolean {
  return marker >= 0xd0 && marker <= 0xd7;
}

/** All but the start of an image, and TEM. */
function hasSegment(marker: number): boolean {
  return marker !== 0xd8 && marker !== 0x01;
}
