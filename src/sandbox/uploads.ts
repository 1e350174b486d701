import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { request as fetchUrl } from 'undici';
import { parseUrl } from '../url.ts';
import { isPlainPath, keepUpload, prepareUploads } from './files.ts';
import type { Call } from './http.ts';

/** The upload service also says whether the request succeeded (kie.ai docs: "File Upload API"). */
interface UploadEnvelope {
  readonly success: boolean;
  readonly code: number;
  readonly msg: string;
  readonly data?: unknown;
}

interface UploadOptions {
  readonly uploadsDir: string;
  /** The base URL of files, without a slash at the end. */
  readonly filesUrl: () => string;
  /** Aborted when the sandbox closes. */
  readonly closing: AbortSignal;
}

/** A file under a temporary name, and the names that its sender asked for. */
interface Arrived {
  readonly path: string;
  readonly mimeType: string;
  /** The sender's own name for the file; a random name gets its extension. */
  readonly ownName: string;
  readonly uploadPath: string;
  readonly fileName: string;
}

/** Writes the file of a request to a path. */
type Receive = (call: Call, path: string, closing: AbortSignal) => Promise<Arrived>;

/** Thrown for requests that are answered with 400 and this message. */
class RefusedUpload extends Error {}

/** kie.ai recommends this maximum for uploads by URL, and names none for the others. */
const MAX_UPLOAD_BYTES = 100 * 1024 * 1024;
/** Enough for the 10 MB that kie.ai's page "Base64 File Upload" recommends. */
export const MAX_BASE64_BODY_BYTES = 16 * 1024 * 1024;
/** kie.ai docs: "URL File Upload". */
const DOWNLOAD_TIMEOUT_MS = 30_000;
const DEFAULT_TYPE = 'application/octet-stream';

export function refuseUpload(code: number, msg: string): UploadEnvelope {
  return { success: false, code, msg };
}

/** The three ways to upload: multipart with `file`, JSON with `base64Data`, and JSON with `fileUrl`. */
export function uploadHandlers(options: UploadOptions) {
  const handler = (receive: Receive) => async (call: Call) => {
    await prepareUploads(options.uploadsDir);
    const path = join(options.uploadsDir, `.${randomUUID()}`);
    try {
      return await keep(options, await receive(call, path, options.closing));
    } catch (error) {
      if (!(error instanceof RefusedUpload)) throw error;
      call.response.statusCode = 400;
      return refuseUpload(400, error.message);
    } finally {
      await rm(path, { force: true });
    }
  };
  return { stream: handler(receiveForm), base64: handler(receiveBase64), url: handler(receiveFromUrl) };
}

/** Gives a file its name and returns its URL. */
async function keep({ filesUrl, uploadsDir }: UploadOptions, file: Arrived): Promise<UploadEnvelope> {
  const uploadPath = file.uploadPath.trim();
  const fileName = file.fileName.trim() || `${randomUUID()}${extname(file.ownName)}`;
  const filePath = `${uploadPath}/${fileName}`;
  if (uploadPath === '') throw missing('uploadPath');
  if (!isPlainPath(filePath)) throw new RefusedUpload('uploadPath and fileName must be plain names');
  const { size: fileSize } = await stat(file.path);
  await keepUpload(uploadsDir, file.path, filePath);
  const data = {
    fileName,
    filePath,
    downloadUrl: `${filesUrl()}/uploads/${filePath}`,
    fileSize,
    mimeType: file.mimeType,
    uploadedAt: new Date().toISOString(),
  };
  return { success: true, code: 200, msg: 'File uploaded successfully', data };
}

function missing(parameter: string): RefusedUpload {
  return new RefusedUpload(`Missing required parameter: ${parameter}`);
}

async function receiveForm({ request }: Call, path: string): Promise<Arrived> {
  if (!/^multipart\/form-data\b/i.test(request.headers['content-type'] ?? ''))
    throw new RefusedUpload('Send the file as multipart/form-data');
  const fields = new Map<string, string>();
  const files: (Pick<Arrived, 'mimeType' | 'ownName'> & { field: string; written: Promise<void> })[] = [];
  const form = new Busboy({
    headers: request.headers as BusboyHeaders,
    limits: { files: 1, fileSize: MAX_UPLOAD_BYTES },
  });
  form.on('field', (name, value) => fields.set(name, value));
  form.on('file', (field, stream, ownName, _encoding, mimeType) => {
    stream.once('limit', () => stream.destroy(new Error('the file is larger than 100 MB')));
    const written = pipeline(stream, createWriteStream(path));
    written.catch(() => undefined);
    files.push({ field, ownName, mimeType, written });
  });
  try {
    await pipeline(request, form);
    await files[0]?.written;
  } catch (error) {
    throw new RefusedUpload(`File upload failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  const [file] = files;
  if (file?.field !== 'file') throw missing('file');
  return {
    path,
    mimeType: file.mimeType,
    ownName: file.ownName,
    ...namesIn((name) => fields.get(name) ?? ''),
  };
}

async function receiveBase64({ body }: Call, path: string): Promise<Arrived> {
  const fields = fieldsOf(body);
  const base64Data = fields('base64Data');
  if (base64Data === '') throw missing('base64Data');
  const [, mimeType = '', data = ''] = /^(?:data:([^;,]*)[^,]*,)?(.*)$/s.exec(base64Data) ?? [];
  const base64 = data.replace(/\s/g, '');
  if (base64 === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
    throw new RefusedUpload('Base64 decoding failed: Invalid Base64 format');
  await writeFile(path, Buffer.from(base64, 'base64'));
  const ownName = mimeType.replace('image/', 'file.');
  return { path, mimeType: mimeType || DEFAULT_TYPE, ownName, ...namesIn(fields) };
}

async function receiveFromUrl({ body }: Call, path: string, closing: AbortSignal): Promise<Arrived> {
  const fields = fieldsOf(body);
  const url = fields('fileUrl');
  if (url === '') throw missing('fileUrl');
  if (!/^https?:\/\/[^/]/i.test(url) || !parseUrl(url))
    throw new RefusedUpload('fileUrl must be a public http or https address');
  const mimeType = await download(url, path, closing).catch((error: unknown) => {
    throw new RefusedUpload(
      `File download failed: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  return { path, mimeType, ownName: `file${extname(url.replace(/[?#].*$/s, ''))}`, ...namesIn(fields) };
}

/** Does not follow redirects. */
async function download(url: string, path: string, closing: AbortSignal): Promise<string> {
  const signal = AbortSignal.any([AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS), closing]);
  const { body, headers, statusCode } = await fetchUrl(url, { signal });
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
  return String(headers['content-type'] ?? DEFAULT_TYPE)
    .replace(/;.*$/s, '')
    .trim();
}

/** The texts of a JSON body; '' for everything else. */
function fieldsOf(body: unknown): (name: string) => string {
  return (name) => {
    const value = (body as Readonly<Record<string, unknown>> | null)?.[name];
    return typeof value === 'string' ? value.trim() : '';
  };
}

function namesIn(fields: (name: string) => string): Pick<Arrived, 'uploadPath' | 'fileName'> {
  return { uploadPath: fields('uploadPath'), fileName: fields('fileName') };
}
