import { crc32 } from 'node:zlib';
import type { Bytes, Parser } from './bytes.ts';
import { animated, assertFits, broken, type Picture } from './picture.ts';

const HEADER_LENGTH = 13;
/** PNG, third edition, 5.3: lengths have 31 bits. */
const MAX_LENGTH = 0x7fffffff;

/** PNG, third edition, 11.2.1: the bit depths of each colour type. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};
const PALETTE = 3;

/**
 * The header of a PNG from behind the first three bytes of its signature: chunk by chunk to its first pixels (PNG, third
 * edition: 5 and 11). What follows is not looked at.
 */
export function* readPng(bytes: Bytes): Parser<Picture> {
  if ((yield* bytes.take(5)).toString('latin1') !== 'G\r\n\x1a\n') throw broken('its signature is damaged');
  const header = yield* readHeader(bytes);
  const picture = imageOfPng(header);
  let needsPalette = header.readUInt8(9) === PALETTE;
  for (;;) {
    bytes.count();
    const { length, type } = yield* readStart(bytes);
    if (type === 'IDAT') {
      if (needsPalette) throw broken('it has no palette');
      return picture;
    }
    if (type === 'IHDR') throw broken('it has two headers');
    if (type === 'IEND') throw broken('it has no pixels');
    if (type === 'PLTE') needsPalette = false;
    const isControl = type === 'acTL' && length >= 4;
    if (isControl && (yield* bytes.take(4)).readUInt32BE() > 1) throw animated();
    yield* bytes.skip(length - (isControl ? 4 : 0) + 4);
  }
}

function* readStart(bytes: Bytes): Parser<{ readonly length: number; readonly type: string }> {
  const start = yield* bytes.take(8);
  const [length, type] = [start.readUInt32BE(), start.toString('latin1', 4)];
  if (length > MAX_LENGTH || !/^[a-z]{4}$/i.test(type)) throw broken('one of its parts is damaged');
  return { length, type };
}

function* readHeader(bytes: Bytes): Parser<Buffer> {
  const { length, type } = yield* readStart(bytes);
  if (type !== 'IHDR' || length !== HEADER_LENGTH) throw broken('it does not begin with a header');
  const header = yield* bytes.take(HEADER_LENGTH);
  const checksum = (yield* bytes.take(4)).readUInt32BE();
  if (checksum !== crc32(header, crc32('IHDR'))) throw broken('its header is damaged');
  return header;
}

function imageOfPng(header: Buffer): Picture {
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  if (width === 0 || height === 0) throw broken('it has no size');
  const picture = { contentType: 'image/png', width, height } as const;
  assertFits(picture);
  const [depth = 0, colourType = 0, compression, filter, interlace = 0] = header.subarray(8);
  if (!DEPTHS[colourType]?.includes(depth)) throw broken('its colour type and bit depth do not fit');
  if (compression !== 0 || filter !== 0 || interlace > 1) throw broken('its header is damaged');
  return picture;
}
