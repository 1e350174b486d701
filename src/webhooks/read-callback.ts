import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { parseCallback, type Callback } from '../provider/callback.ts';
import { parseJson } from '../provider/envelope.ts';
import { readBody } from '../read-body.ts';
import { REFUSALS, type Refusal } from './refusals.ts';

const MAX_BODY_BYTES = 256 * 1024;

const DECODERS = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** A callback whose body makes sense. */
export type ReadCallback = Callback & { readonly providerTaskId: string };

/** Whether the sender has said that its body is too large, before a byte of it is read. */
export function isTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES;
}

/**
 * Reads the body of a callback, or says why it cannot be read. Whoever sends it has shown a token, so any media type will
 * do. Rejects when the sender goes away.
 */
export async function readCallback(request: IncomingMessage): Promise<ReadCallback | Refusal> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body) return REFUSALS.size;
  const decoded = await decode(body, request.headers['content-encoding']);
  if (!Buffer.isBuffer(decoded)) return decoded;
  const value = parseJson(decoded.toString().replace(/^\uFEFF/, ''));
  if (value === undefined) return notJson(decoded, request.headers['content-type']);
  const callback = parseCallback(value);
  if (!callback) return REFUSALS.envelope;
  const [providerTaskId, ...otherIds] = callback.ids;
  if (providerTaskId === undefined) return REFUSALS.noId;
  return otherIds.length > 0 ? REFUSALS.differentIds : { ...callback, providerTaskId };
}

async function decode(body: Buffer, encoding = 'identity'): Promise<Buffer | Refusal> {
  const name = encoding.trim().toLowerCase();
  if (name === 'identity') return body;
  if (!isKnown(name)) return quoting(REFUSALS.encoding, encoding);
  try {
    return await DECODERS[name](body, { maxOutputLength: MAX_BODY_BYTES });
  } catch (error) {
    const isLarge = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    return isLarge ? REFUSALS.size : quoting(REFUSALS.brokenEncoding, encoding);
  }
}

function isKnown(name: string): name is keyof typeof DECODERS {
  return Object.hasOwn(DECODERS, name);
}

function notJson(body: Buffer, contentType: string | undefined): Refusal {
  if (body.length === 0) return REFUSALS.empty;
  const isDeclared = contentType === undefined || isJson(contentType);
  return isDeclared ? REFUSALS.json : quoting(REFUSALS.mediaType, contentType);
}

/** The same refusal, which says what the sender declared. */
function quoting(refusal: Refusal, declared: string): Refusal {
  return { ...refusal, detail: `${refusal.detail} It is declared as "${declared.slice(0, 100)}".` };
}

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType);
}
