import { crc32 } from 'node:zlib';
import type { Bytes, Parser } from './bytes.ts';
import { animated, broken, type Picture } from './picture.ts';

const HEADER_LENGTH = 13;

/**
 * A PNG from behind the first three bytes of its signature, chunk by chunk to its end (PNG, third edition: 5 and 11).
 * `found` is told what it is before its pixels are read.
 */
export function* readPng(bytes: Bytes, found: (picture: Picture) => void): Parser<void> {
  if ((yield* bytes.take(5)).toString('latin1') !== 'G\r\n\x1a\n') throw broken('its signature is damaged');
  const header = yield* readChunk(bytes, HEADER_LENGTH);
  if (header.type !== 'IHDR' || header.length !== HEADER_LENGTH)
    throw broken('it does not begin with a header');
  const picture = pictureOf(header.start);
  for (let hasPixels = false; ;) {
    const { start, type } = yield* readChunk(bytes, 4);
    if (type === 'acTL' && start.length === 4 && start.readUInt32BE() > 1) throw animated();
    if (type === 'IDAT' && !hasPixels) {
      hasPixels = true;
      found(picture);
    }
    if (type !== 'IEND') continue;
    if (hasPixels) return;
    throw broken('it has no pixels');
  }
}

interface Chunk {
  readonly type: string;
  readonly length: number;
  /** Its first bytes, as many as were asked for and are there. */
  readonly start: Buffer;
}

function* readChunk(bytes: Bytes, startLength: number): Parser<Chunk> {
  const length = (yield* bytes.take(4)).readUInt32BE();
  const type = yield* bytes.take(4);
  let checksum = crc32(type);
  const see = (part: Buffer): void => {
    checksum = crc32(part, checksum);
  };
  const start = yield* bytes.take(Math.min(startLength, length));
  see(start);
  yield* bytes.skip(length - start.length, see);
  const name = type.toString('latin1');
  if ((yield* bytes.take(4)).readUInt32BE() !== checksum) throw broken(`its part ${nameOf(name)} is damaged`);
  return { type: name, length, start };
}

/** What stands there may be anything. */
function nameOf(type: string): string {
  return /^[a-z]{4}$/i.test(type) ? type : 'of an unknown kind';
}

function pictureOf(header: Buffer): Picture {
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  if (width === 0 || height === 0) throw broken('it has no size');
  return { contentType: 'image/png', width, height };
}
