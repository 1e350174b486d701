import { brotliDecompressSync, inflateRawSync, unzipSync } from 'node:zlib';

/** The header Content-Encoding. */
type Encoding = string | readonly string[] | undefined;

/**
 * The text of a body. Every call asks for `identity`, but an answer that says what a paid task is called is read even when
 * something in between has packed it, with or without saying so. Throws for what cannot be unpacked to `maxBytes`.
 */
export function decodeBody(bytes: Buffer, encoding: Encoding, maxBytes: number): string {
  return unpack(bytes, String(encoding).trim().toLowerCase(), { maxOutputLength: maxBytes }).toString();
}

function unpack(bytes: Buffer, encoding: string, limit: { maxOutputLength: number }): Buffer {
  if (bytes.length === 0) return bytes;
  if (encoding === 'br') return brotliDecompressSync(bytes, limit);
  if (isGzip(bytes)) return unzipSync(bytes, limit);
  if (encoding !== 'deflate') return bytes;
  // RFC 9110, 8.4.1.2: some senders leave out the zlib wrapper, which begins with 8 in its low four bits.
  return (bytes.readUInt8(0) & 0x0f) === 8 ? unzipSync(bytes, limit) : inflateRawSync(bytes, limit);
}

/** RFC 1952: how every gzip file begins, and no JSON. */
function isGzip(bytes: Buffer): boolean {
  return bytes.length > 2 && bytes.readUInt16BE(0) === 0x1f8b;
}
