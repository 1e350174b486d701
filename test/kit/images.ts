import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import sharp, { type OutputOptions, type PngOptions, type Sharp } from 'sharp';

export type Format = 'jpeg' | 'png' | 'webp';

interface ImageSize {
  readonly width?: number;
  readonly height?: number;
}

/** A real image that the model takes. It is noise, so that no two are equal. */
export async function imageBytes(format: Format = 'png', size: ImageSize = {}): Promise<Buffer> {
  return noise(size).toFormat(format).toBuffer();
}

/** The same, not yet encoded. */
export function noise({ height = 320, width = 400 }: ImageSize = {}): Sharp {
  // Its own generator of noise begins alike in each process.
  return sharp(randomBytes(width * height * 3), { raw: { width, height, channels: 3 } });
}

/** An image of one colour: few bytes for any dimensions. */
export function flat(
  format: Format | 'gif',
  { height = 320, width = 400 }: ImageSize = {},
  options: OutputOptions | PngOptions = {},
): Promise<Buffer> {
  const create = { width, height, channels: 3 as const, background: 'navy' };
  return sharp({ create, limitInputPixels: false }).toFormat(format, options).toBuffer();
}

/** Several frames. */
export function animation(format: 'webp' | 'gif'): Promise<Buffer> {
  const [width, height, frames] = [400, 320, 3];
  const raw = { width, height: height * frames, channels: 3 as const, pageHeight: height };
  return sharp(randomBytes(width * height * frames * 3), { raw })
    .toFormat(format)
    .toBuffer();
}

/** A PNG of exactly so many bytes, the rest of them random, in a part of its own that no decoder looks at. */
export async function pngOf(bytes: number): Promise<Buffer> {
  const small = await imageBytes('png', { width: 310, height: 310 });
  return withChunk(small, 'kiNo', randomBytes(bytes - small.length - CHUNK_FRAME));
}

const CHUNK_FRAME = 12;
const HEADER_END = 33;

/** Puts a part behind the header of a PNG. */
export function withChunk(png: Buffer, type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([png.subarray(0, HEADER_END), length, body, checksum, png.subarray(HEADER_END)]);
}

/** A box of a HEIC file. */
export function box(type: string, ...content: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + Buffer.concat(content).length);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, ...content]);
}

/** The box with a size. */
export function ispe({ height = 320, width = 400 }: ImageSize = {}): Buffer {
  const content = Buffer.alloc(12);
  content.writeUInt32BE(width, 4);
  content.writeUInt32BE(height, 8);
  return box('ispe', content);
}

/** A HEIC file of these brands and properties. Its pixels are random bytes: no package that we use encodes them. */
export function heic(
  properties: readonly Buffer[] = [ispe()],
  brands: readonly string[] = ['heic', '\0\0\0\0', 'mif1', 'heic'],
): Buffer {
  const handler = box('hdlr', Buffer.from('\0\0\0\0\0\0\0\0pict'), Buffer.alloc(13));
  const meta = box('meta', Buffer.alloc(4), handler, box('iprp', box('ipco', ...properties)));
  return Buffer.concat([box('ftyp', Buffer.from(brands.join(''))), meta, box('mdat', randomBytes(5000))]);
}

/** The same PNG, claiming another size. */
export function claiming(png: Buffer, width: number, height: number): Buffer {
  const header = Buffer.from(png.subarray(0, HEADER_END));
  header.writeUInt32BE(width, 16);
  header.writeUInt32BE(height, 20);
  header.writeUInt32BE(crc32(header.subarray(12, 29)), 29);
  return Buffer.concat([header, png.subarray(HEADER_END)]);
}
