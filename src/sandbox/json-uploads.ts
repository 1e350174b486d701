import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { request as requestUrl } from 'undici';
import { MAX_UPLOAD_BYTES, keepFile, refuse, type UploadEnvelope, type UploadOptions } from './keep-file.ts';
import { prepareUploads } from './uploads.ts';

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<UploadEnvelope>;

/** kie.ai docs, "URL File Upload": the address has 30 seconds. */
const DOWNLOAD_TIMEOUT_MS = 30_000;

/** For what kie.ai's page "Base64 File Upload" recommends: files up to 10 MB. */
export const MAX_BASE64_BODY_BYTES = 16 * 1024 * 1024;

/** `POST /api/file-base64-upload`: JSON with `base64Data` (a data URL or plain Base64), `uploadPath` and `fileName`. */
export function base64UploadHandler(options: UploadOptions): Handler {
  return async (request, reply) => {
    const fields = fieldsOf(request);
    const base64Data = fields('base64Data');
    if (base64Data === '') return refuse(reply, 'Missing required parameter: base64Data');
    const comma = base64Data.startsWith('data:') ? base64Data.indexOf(',') : -1;
    const mimeType = base64Data.slice(5, Math.max(5, comma)).split(';')[0] ?? '';
    const text = base64Data.slice(comma + 1).replace(/\s/g, '');
    if (text === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
      return refuse(reply, 'Base64 decoding failed: Invalid Base64 format');
    const path = await newFile(options);
    await writeFile(path, Buffer.from(text, 'base64'));
    const file = { path, mimeType: mimeType || OCTETS, ownName: mimeType.replace('image/', 'file.') };
    return keepFile(reply, options, { ...file, ...namesIn(fields) });
  };
}

/**
 * `POST /api/file-url-upload`: JSON with `fileUrl`, `uploadPath` and `fileName`. The sandbox fetches what its caller names, so
 * it listens to this machine alone unless told otherwise; redirects are not followed.
 */
export function urlUploadHandler(options: UploadOptions, closing: AbortSignal): Handler {
  return async (request, reply) => {
    const fields = fieldsOf(request);
    const url = fields('fileUrl');
    if (url === '') return refuse(reply, 'Missing required parameter: fileUrl');
    if (!/^https?:\/\/[^/]/i.test(url))
      return refuse(reply, 'fileUrl must be a public http or https address');
    const path = await newFile(options);
    try {
      const mimeType = await download(url, path, closing);
      const ownName = extname(url.replace(/[?#].*$/s, ''));
      return await keepFile(reply, options, {
        path,
        mimeType,
        ownName: `file${ownName}`,
        ...namesIn(fields),
      });
    } catch (error) {
      await rm(path, { force: true });
      return refuse(reply, `File download failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}

const OCTETS = 'application/octet-stream';

async function download(url: string, path: string, closing: AbortSignal): Promise<string> {
  const signal = AbortSignal.any([AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS), closing]);
  const { body, headers, statusCode } = await requestUrl(url, { signal });
  if (statusCode !== 200) {
    body.destroy();
    throw new Error(`HTTP ${statusCode}`);
  }
  let left = MAX_UPLOAD_BYTES;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      done(left < 0 ? new Error('the file is larger than 100 MB') : null, chunk);
    },
  });
  await pipeline(body, bounded, createWriteStream(path));
  const [type = OCTETS] = String(headers['content-type'] ?? OCTETS).split(';');
  return type.trim();
}

async function newFile({ uploadsDir }: UploadOptions): Promise<string> {
  await prepareUploads(uploadsDir);
  return join(uploadsDir, `.${randomUUID()}`);
}

/** The texts of a JSON body; '' for what is none. */
function fieldsOf({ body }: FastifyRequest): (name: string) => string {
  return (name) => {
    const value = (body as Readonly<Record<string, unknown>> | null)?.[name];
    return typeof value === 'string' ? value.trim() : '';
  };
}

function namesIn(fields: (name: string) => string) {
  return { uploadPath: fields('uploadPath'), fileName: fields('fileName') };
}
