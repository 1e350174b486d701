import { crc32 } from 'node:zlib';
import type { Bytes, Parser } from './bytes.ts';
import { animated, assertFits, broken, type Picture } from './picture.ts';

const HEADER_LENGTH = 13;

/**
 * A PNG from behind the first three bytes of its signature, chunk by chunk to its end (PNG, third edition: 5 and 11).
 * `found` is told what it is before its pixels are read.
 */
export function* readPng(bytes: Bytes, found: (picture: Picture) => void): Parser<void> {
  if ((yield* bytes.take(5)).toString('latin1') !== 'G\r\n\x1a\n') throw broken('its signature is damaged');
  let picture: Picture | null = null;
  let hasPixels = false;
  for (;;) {
    bytes.count();
    const length = (yield* bytes.take(4)).readUInt32BE();
    const type = yield* bytes.take(4);
    const name = type.toString('latin1');
    if (picture === null && (name !== 'IHDR' || length !== HEADER_LENGTH))
      throw broken('it does not begin with a header');
    if (name === 'IDAT' && !hasPixels && picture) {
      hasPixels = true;
      found(picture);
    }
    const start = yield* readContent(bytes, type, length);
    if (picture === null) assertFits((picture = pictureOf(start)));
    if (name === 'acTL' && framesOf(start) > 1) throw animated();
    if (name === 'IEND') break;
  }
  if (!hasPixels) throw broken('it has no pixels');
}

/** Passes over what a chunk holds and returns its first bytes; checks it where a decoder has to. */
function* readContent(bytes: Bytes, type: Buffer, length: number): Parser<Buffer> {
  let checksum = crc32(type);
  const see = (part: Buffer): void => {
    checksum = crc32(part, checksum);
  };
  const start = yield* bytes.take(Math.min(HEADER_LENGTH, length));
  see(start);
  yield* bytes.skip(length - start.length, see);
  const isWhole = (yield* bytes.take(4)).readUInt32BE() === checksum;
  if (!isWhole && isCritical(type)) throw broken(`its part ${nameOf(type.toString('latin1'))} is damaged`);
  return start;
}

/** PNG, third edition, 5.4: by the case of the first letter. */
function isCritical(type: Buffer): boolean {
  return (type.readUInt8() & 0x20) === 0;
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

function framesOf(animationControl: Buffer): number {
  return animationControl.length < 4 ? 0 : animationControl.readUInt32BE();
}
