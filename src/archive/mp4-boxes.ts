/**
 * Boxes of an MP4 file (ISO/IEC 14496-12, 4.2): a size of 32 or 64 bits, a type, content. Multi-byte numbers are big-endian.
 * Everything in a box was written by somebody else: no count or size of it is believed before it is compared with what is there.
 */

/** The bytes are not a complete video; the message says why. */
export class VideoError extends Error {
  override readonly name = 'VideoError';
}

export interface BoxHeader {
  readonly type: string;
  /** Of header and content, in bytes. */
  readonly size: number;
  /** Of the header alone, in bytes. */
  readonly headerBytes: number;
}

export interface Box {
  readonly type: string;
  readonly content: Buffer;
}

export const MAX_HEADER_BYTES = 16;

const SHORT_HEADER_BYTES = 8;
/** In place of a size: 64 bits of it follow the type. */
const LONG_SIZE = 1;
/** In place of a size: the box ends with what contains it. */
const TO_THE_END = 0;
/** A real container has a few dozen. */
const MAX_CHILDREN = 256;

/**
 * Parses the header at the beginning of `bytes`. `left` says how many bytes there are from there to the end of what contains
 * the box; `bytes` may hold only the first of them.
 */
export function parseHeader(bytes: Buffer, left: number): BoxHeader {
  if (bytes.length < SHORT_HEADER_BYTES) throw new VideoError('the file ends within the header of a box');
  const type = bytes.toString('latin1', 4, SHORT_HEADER_BYTES);
  const short = bytes.readUInt32BE(0);
  if (short === LONG_SIZE && bytes.length < MAX_HEADER_BYTES)
    throw new VideoError('the file ends within the header of a box');
  const headerBytes = short === LONG_SIZE ? MAX_HEADER_BYTES : SHORT_HEADER_BYTES;
  const size = short === LONG_SIZE ? readUint64(bytes, 8) : short === TO_THE_END ? left : short;
  if (size < headerBytes) throw new VideoError('the size of a box is smaller than its header');
  if (size > left)
    throw new VideoError(`the file is cut: ${size - left} bytes of a box are missing at its end`);
  return { type, size, headerBytes };
}

/** The boxes in the content of another one. Ignores up to 7 bytes behind the last: some writers end a list with zeros. */
export function* childrenOf(content: Buffer): Generator<Box> {
  for (let position = 0, count = 1; content.length - position >= SHORT_HEADER_BYTES; count += 1) {
    if (count > MAX_CHILDREN) throw new VideoError(`a box contains more than ${MAX_CHILDREN} boxes`);
    const rest = content.subarray(position);
    const { headerBytes, size, type } = parseHeader(rest, rest.length);
    yield { type, content: rest.subarray(headerBytes, size) };
    position += size;
  }
}

/** The content of the first box at a path of types; null if there is none. */
export function find(content: Buffer, ...path: readonly string[]): Buffer | null {
  let found: Buffer = content;
  for (const type of path) {
    const child = firstOf(found, type);
    if (child === null) return null;
    found = child;
  }
  return found;
}

function firstOf(content: Buffer, type: string): Buffer | null {
  for (const child of childrenOf(content)) if (child.type === type) return child.content;
  return null;
}

/** Like `find`, but the box has to be there. */
export function get(content: Buffer, ...path: readonly string[]): Buffer {
  const found = find(content, ...path);
  if (found === null) throw new VideoError(`the file has no box ${path.join('/')}`);
  return found;
}

/** Beyond 2^53 the result is rounded, and larger than any file. */
export function readUint64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * 2 ** 32 + bytes.readUInt32BE(offset + 4);
}
