import {
  MAX_PICTURE_BYTES,
  broken,
  tooLarge,
  unknownType,
  type Picture,
  assertFits,
  animated,
} from './image.ts';
import { crc32 } from 'node:zlib';

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

/** A parser of something that comes in chunks: each `yield` asks for the next one, of whatever length. */
export type Parser<Result> = Generator<undefined, Result, Buffer>;

const NOTHING = Buffer.alloc(0);

/** No encoder makes so many parts of 10 MB; what has more was made to keep us busy. */
const MAX_PARTS = 50_000;

/** Chunks as one row of bytes; holds no more of them than what was asked for and one chunk. */
export class Bytes {
  #chunk: Buffer = NOTHING;
  #parts = 0;

  /** The bytes that are here already, at least one; `drop` passes over those that were looked at. */
  *peek(): Parser<Buffer> {
    while (this.#chunk.length === 0) this.#chunk = yield;
    return this.#chunk;
  }

  drop(count: number): void {
    this.#chunk = this.#chunk.subarray(count);
  }

  /** The next bytes, which should be few. */
  *take(count: number): Parser<Buffer> {
    const here = this.#chunk;
    if (here.length >= count) {
      this.#chunk = here.subarray(count);
      return here.subarray(0, count);
    }
    const parts: Buffer[] = [];
    yield* this.skip(count, (part) => parts.push(part));
    return Buffer.concat(parts);
  }

  /** Passes over the next bytes and shows them in parts. */
  *skip(count: number, see?: (part: Buffer) => void): Parser<void> {
    for (let left = count; left > 0;) {
      const part = (yield* this.peek()).subarray(0, left);
      this.drop(part.length);
      left -= part.length;
      see?.(part);
    }
  }

  /** To be called for each part of a picture. Throws PictureError when there are too many. */
  count(): void {
    this.#parts += 1;
    if (this.#parts > MAX_PARTS) throw broken('it has too many parts');
  }
}

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
