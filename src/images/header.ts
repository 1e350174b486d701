import { crc32 } from 'node:zlib';
import type { ImageRules } from '../models/define-model.ts';
import { animated, assertFits, broken, tooLarge, unknownType, type Image } from './image.ts';

/** Reads the header of an image while its bytes arrive. Decodes nothing, and looks at nothing behind the header. */
interface HeaderReader {
  /** Throws ImageError as soon as the bytes so far cannot be those of an image that the model takes. */
  push(chunk: Buffer): void;
  /** To be called behind the last byte. Throws ImageError when the header is incomplete. */
  end(): Image;
  /** What the header says; null until it is complete. */
  readonly image: Image | null;
}

const SIGNATURE_BYTES = 3;
/** No encoder writes so many parts into 30 MB; a file that has them was made to keep us busy. */
const MAX_STEPS = 100_000;

/** For an image that a model with these rules must take. */
export function createHeaderReader(rules: ImageRules): HeaderReader {
  const parser = readImage(rules);
  let [skip, take] = parser.next().value as Step;
  let unread = Buffer.alloc(0);
  let image: Image | null = null;
  let [bytes, steps] = [0, 0];

  return {
    get image() {
      return image;
    },
    push(chunk) {
      bytes += chunk.length;
      if (bytes > rules.maxBytes) throw tooLarge(rules);
      if (image !== null) return;
      unread = Buffer.concat([unread, chunk]);
      while (image === null) {
        const skipped = Math.min(skip, unread.length);
        skip -= skipped;
        unread = unread.subarray(skipped);
        if (skip > 0 || unread.length < take) return;
        steps += 1;
        if (steps > MAX_STEPS) throw broken('it has too many parts');
        const step = parser.next(unread.subarray(0, take));
        unread = unread.subarray(take);
        if (step.done !== true) {
          [skip, take] = step.value;
          continue;
        }
        assertFits(step.value, rules);
        image = step.value;
      }
    },
    end() {
      if (bytes === 0) throw broken('it is empty');
      if (bytes < SIGNATURE_BYTES) throw unknownType(rules);
      if (image === null) throw broken('it ends too early');
      return image;
    },
  };
}

/** How many bytes to skip, and how many to return behind them; the latter should be few. */
type Step = readonly [skip: number, take: number];
type Parser = Generator<Step, Image, Buffer>;

function* readImage(rules: ImageRules): Parser {
  const signature = (yield [0, SIGNATURE_BYTES]).toString('latin1');
  if (signature === '\xff\xd8\xff') return yield* readJpeg();
  if (signature === '\x89PN') return yield* readPng();
  if (signature === 'RIF') return yield* readWebp(rules);
  if (signature === '\0\0\0') return yield* readHeic(rules);
  throw unknownType(rules);
}

function imageOf(contentType: Image['contentType'], width: number, height: number): Image {
  if (width === 0 || height === 0) throw broken('it has no size');
  return { contentType, width, height };
}

const FRAME_BYTES = 8;

/** ITU-T T.81, annex B: segments up to the first scan. Decoders skip bytes that belong to no segment. */
function* readJpeg(): Parser {
  let image: Image | null = null;
  let skip = 0;
  // The signature ends with the first byte of a marker. 0xFF may be repeated before its second byte.
  for (let isMarker = true; ;) {
    const code: number = (yield [skip, 1]).readUInt8();
    const wasMarker = isMarker;
    skip = 0;
    isMarker = code === 0xff;
    // Padding, TEM, restarts, and the start and end of an image have no length.
    if (isMarker || !wasMarker || code <= 0x01 || (code >= 0xd0 && code <= 0xd9)) continue;
    const length: number = (yield [0, 2]).readUInt16BE();
    if (code === 0xda && image === null) throw broken('its pixels come before its size');
    if (code === 0xda && image !== null) return image;
    // A length counts its own two bytes; decoders take a shorter one for an empty segment.
    skip = Math.max(0, length - 2);
    // SOF0 to SOF15; C4, C8 and CC are no frames.
    if ((code & 0xf0) !== 0xc0 || (code % 4 === 0 && code !== 0xc0)) continue;
    if (image !== null) throw broken('it has two sizes');
    // Browsers and the usual decoders open Huffman-coded, sequential or progressive images: SOF0 to SOF2.
    if (code > 0xc2)
      throw broken('it is lossless, hierarchical or coded arithmetically, which few programs open');
    if (length < FRAME_BYTES) throw broken('its frame header is too short');
    image = imageOfFrame(length, yield [0, FRAME_BYTES - 2]);
    skip = length - FRAME_BYTES;
  }
}

function imageOfFrame(length: number, frame: Buffer): Image {
  const components = frame.readUInt8(5);
  if (frame.readUInt8(0) !== 8) throw broken('it does not have 8 bits for each colour');
  if (![1, 3, 4].includes(components)) throw broken('it has neither 1, 3 nor 4 colours');
  if (length !== FRAME_BYTES + 3 * components) throw broken('its frame header is damaged');
  return imageOf('image/jpeg', frame.readUInt16BE(3), frame.readUInt16BE(1));
}

/** PNG, third edition, 11.2.1: the bit depths of each colour type. */
const DEPTHS = new Map([
  [0, [1, 2, 4, 8, 16]],
  [2, [8, 16]],
  [3, [1, 2, 4, 8]],
  [4, [8, 16]],
  [6, [8, 16]],
]);
const PALETTE = 3;

/** PNG, third edition, 5 and 11: chunks up to the first pixels. */
function* readPng(): Parser {
  const start = yield [0, 30];
  if (start.toString('latin1', 0, 5) !== 'G\r\n\x1a\n') throw broken('its signature is damaged');
  if (start.toString('latin1', 5, 13) !== '\0\0\0\x0dIHDR') throw broken('it does not begin with a header');
  if (start.readUInt32BE(26) !== crc32(start.subarray(9, 26))) throw broken('its header is damaged');
  const image = imageOf('image/png', start.readUInt32BE(13), start.readUInt32BE(17));
  const [depth = 0, colourType = 0, compression, filter, interlace = 0] = start.subarray(21);
  if (!DEPTHS.get(colourType)?.includes(depth)) throw broken('its colour type and bit depth do not fit');
  if (compression !== 0 || filter !== 0 || interlace > 1) throw broken('its header is damaged');

  let skip = 0;
  for (let needsPalette = colourType === PALETTE; ;) {
    const chunk: Buffer = yield [skip, 8];
    const [length, type] = [chunk.readUInt32BE(), chunk.toString('latin1', 4)];
    // Lengths have 31 bits.
    if (length > 0x7fffffff || !/^[a-z]{4}$/i.test(type)) throw broken('one of its parts is damaged');
    if (type === 'IHDR' || type === 'IEND') throw broken('it has two headers, or no pixels');
    if (type === 'IDAT' && needsPalette) throw broken('it has no palette');
    if (type === 'IDAT') return image;
    if (type === 'PLTE') needsPalette = false;
    const isControl = type === 'acTL' && length >= 4;
    if (isControl && (yield [0, 4]).readUInt32BE() > 1) throw animated();
    skip = length + 4 - (isControl ? 4 : 0);
  }
}

/** How much of a WebP chunk is read: the dimensions are in its first bytes. */
const WEBP_START_BYTES = 10;

/** RFC 9649: chunks up to the first frame. */
function* readWebp(rules: ImageRules): Parser {
  const riff = yield [0, 9];
  // RIFF also holds sound and video.
  if (riff.toString('latin1', 0, 1) !== 'F' || riff.toString('latin1', 5) !== 'WEBP')
    throw unknownType(rules);
  let canvas: Image | null = null;
  let skip = 0;
  for (let left = riff.readUInt32LE(1) - 4; left >= 8;) {
    const chunk: Buffer = yield [skip, 8];
    const type = chunk.toString('latin1', 0, 4);
    // Chunks of odd length are padded.
    const length: number = Math.min(chunk.readUInt32LE(4) + (chunk.readUInt32LE(4) % 2), left - 8);
    const start: Buffer = yield [0, Math.min(length, WEBP_START_BYTES)];
    const size = sizeIn(type, start);
    if (size !== null) {
      // Decoders refuse a still frame that is not as large as its canvas.
      if (canvas && (canvas.width !== size.width || canvas.height !== size.height))
        throw broken(`its frame of ${size.width} × ${size.height} pixels is not as large as its canvas`);
      const image = imageOf('image/webp', size.width, size.height);
      if (type !== 'VP8X') return image;
      canvas = image;
    }
    skip = length - start.length;
    left -= 8 + length;
  }
  throw broken('it has no pixels');
}

/** The canvas (RFC 9649, 2.7), or the frame: lossy (RFC 6386, 9.1) or lossless (RFC 9649, 3.4). Null for other chunks. */
function sizeIn(type: string, start: Buffer): Pick<Image, 'width' | 'height'> | null {
  if (!['VP8X', 'VP8 ', 'VP8L'].includes(type)) return null;
  if (start.length < (type === 'VP8L' ? 5 : WEBP_START_BYTES)) throw broken('its header is too short');
  if (type === 'VP8X') {
    if (start.readUInt8(0) & 0x02) throw animated();
    return { width: start.readUIntLE(4, 3) + 1, height: start.readUIntLE(7, 3) + 1 };
  }
  if (type === 'VP8 ') {
    if (start.readUInt8(0) & 1 || start.readUIntBE(3, 3) !== 0x9d012a) throw broken('its frame is damaged');
    return { width: start.readUInt16LE(6) & 0x3fff, height: start.readUInt16LE(8) & 0x3fff };
  }
  const bits = start.readUInt32LE(1);
  // The signature, and the version, which is 0.
  if (start.readUInt8(0) !== 0x2f || bits >>> 29 !== 0) throw broken('its frame is damaged');
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

/** The brands of still images, and of image sequences (ISO/IEC 23008-12, B.4). The brand mif1 includes AVIF. */
const HEIC_BRANDS = ['heic', 'heix', 'heim', 'heis'];
const HEIC_SEQUENCES = ['hevc', 'hevx', 'msf1'];

/** ISO/IEC 23008-12: the sizes are properties in ipco in iprp in meta. An image of tiles has their size as well, so the largest counts. */
function* readHeic(rules: ImageRules): Parser {
  const start = yield [0, 9];
  const brand = start.toString('latin1', 5);
  if (start.toString('latin1', 1, 5) !== 'ftyp') throw unknownType(rules);
  if (HEIC_SEQUENCES.includes(brand)) throw animated();
  const compatible =
    (yield [0, Math.max(0, start.readUInt8(0) - 12)]).toString('latin1').match(/.{4}/gs) ?? [];
  if (![brand, ...compatible].some((one) => HEIC_BRANDS.includes(one))) throw unknownType(rules);
  let [width, height] = [0, 0];
  let skip = 0;
  for (let left = Infinity; left > 0;) {
    const box: Buffer = yield [skip, 8];
    const type = box.toString('latin1', 4);
    const isLarge = box.readUInt32BE() === 1;
    const head = isLarge ? 16 : 8;
    const size = isLarge ? Number((yield [0, 8]).readBigUInt64BE()) : box.readUInt32BE();
    if (size < head) throw broken('one of its parts is damaged');
    skip = type === 'meta' ? 4 : 0;
    if (type === 'ipco') left = size - head;
    if (['meta', 'iprp', 'ipco'].includes(type)) continue;
    const isSize = type === 'ispe' && left < Infinity;
    const content: Buffer = yield [0, isSize ? Math.min(size - head, 12) : 0];
    if (content.length === 12 && content.readUInt32BE(4) * content.readUInt32BE(8) > width * height)
      [width, height] = [content.readUInt32BE(4), content.readUInt32BE(8)];
    skip = size - head - content.length;
    left -= size;
  }
  return imageOf('image/heic', width, height);
}
