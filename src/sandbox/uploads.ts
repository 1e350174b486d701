import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import { randomUUID } from 'node:crypto';
import { rm, stat, writeFile, mkdir, readdir, rename } from 'node:fs/promises';
import { extname, join, dirname } from 'node:path';
import { meaningOf } from './envelope.ts';
import { createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { request as requestUrl } from 'undici';
import type { ServerResponse } from 'node:http';
import type { Call } from './http.ts';
import { parseUrl } from '../url.ts';

/** The upload service says beside the code whether all went well (kie.ai docs: "File Upload API"). */
interface UploadEnvelope {
  readonly success: boolean;
  readonly code: number;
  readonly msg: string;
  readonly data?: unknown;
}

interface UploadOptions {
  readonly uploadsDir: string;
  /** The base address of files, without a slash at the end. */
  readonly filesUrl: () => string;
}

/** A file that has arrived, and what was asked for with it. */
interface ArrivedFile {
  /** Where it lies, among the uploads and under a name that nobody asks for. */
  readonly path: string;
  readonly mimeType: string;
  /** Its name on the other side, for the ending of a random one. */
  readonly ownName: string;
  readonly uploadPath: string;
  readonly fileName: string;
}

/** kie.ai's page recommends at most so much, of an upload by URL; it names no limit for the others. */
const MAX_UPLOAD_BYTES = 100 * 1024 * 1024;

/** Gives a file its name and answers with where it is; a file of that name is replaced. */
async function keepFile(
  response: ServerResponse,
  { filesUrl, uploadsDir }: UploadOptions,
  file: ArrivedFile,
): Promise<UploadEnvelope> {
  const uploadPath = file.uploadPath.trim();
  const fileName = file.fileName.trim() || `${randomUUID()}${extname(file.ownName)}`;
  const filePath = `${uploadPath}/${fileName}`;
  const problem =
    uploadPath === ''
      ? 'Missing required parameter: uploadPath'
      : isPlainPath(filePath)
        ? null
        : 'uploadPath and fileName must be plain names';
  if (problem !== null) {
    await rm(file.path, { force: true });
    return refuse(response, problem);
  }
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

/** What the upload service answers whoever has no key. */
export function refuseUpload(code: number, msg = meaningOf(code)): UploadEnvelope {
  return { success: false, code, msg };
}

function refuse(response: ServerResponse, msg: string): UploadEnvelope {
  response.statusCode = 400;
  return refuseUpload(400, msg);
}

type Handler = (call: Call) => Promise<UploadEnvelope>;

/** kie.ai docs, "URL File Upload": the address has 30 seconds. */
const DOWNLOAD_TIMEOUT_MS = 30_000;

/** For what kie.ai's page "Base64 File Upload" recommends: files up to 10 MB. */
export const MAX_BASE64_BODY_BYTES = 16 * 1024 * 1024;

/** `POST /api/file-base64-upload`: JSON with `base64Data` (a data URL or plain Base64), `uploadPath` and `fileName`. */
export function base64UploadHandler(options: UploadOptions): Handler {
  return async ({ body, response }) => {
    const fields = fieldsOf(body);
    const base64Data = fields('base64Data');
    if (base64Data === '') return refuse(response, 'Missing required parameter: base64Data');
    const comma = base64Data.startsWith('data:') ? base64Data.indexOf(',') : -1;
    const mimeType = base64Data.slice(5, Math.max(5, comma)).split(';')[0] ?? '';
    const text = base64Data.slice(comma + 1).replace(/\s/g, '');
    if (text === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
      return refuse(response, 'Base64 decoding failed: Invalid Base64 format');
    const path = await newFile(options);
    await writeFile(path, Buffer.from(text, 'base64'));
    const file = { path, mimeType: mimeType || OCTETS, ownName: mimeType.replace('image/', 'file.') };
    return keepFile(response, options, { ...file, ...namesIn(fields) });
  };
}

/**
 * `POST /api/file-url-upload`: JSON with `fileUrl`, `uploadPath` and `fileName`. The sandbox fetches what its caller names, so
 * it listens to this machine alone unless told otherwise; redirects are not followed.
 */
export function urlUploadHandler(options: UploadOptions, closing: AbortSignal): Handler {
  return async ({ body, response }) => {
    const fields = fieldsOf(body);
    const url = fields('fileUrl');
    if (url === '') return refuse(response, 'Missing required parameter: fileUrl');
    if (!/^https?:\/\/[^/]/i.test(url) || !parseUrl(url))
      return refuse(response, 'fileUrl must be a public http or https address');
    const path = await newFile(options);
    try {
      const mimeType = await download(url, path, closing);
      const ownName = extname(url.replace(/[?#].*$/s, ''));
      return await keepFile(response, options, {
        path,
        mimeType,
        ownName: `file${ownName}`,
        ...namesIn(fields),
      });
    } catch (error) {
      await rm(path, { force: true });
      return refuse(
        response,
        `File download failed: ${error instanceof Error ? error.message : String(error)}`,
      );
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
function fieldsOf(body: unknown): (name: string) => string {
  return (name) => {
    const value = (body as Readonly<Record<string, unknown>> | null)?.[name];
    return typeof value === 'string' ? value.trim() : '';
  };
}

function namesIn(fields: (name: string) => string) {
  return { uploadPath: fields('uploadPath'), fileName: fields('fileName') };
}

/** `POST /api/file-stream-upload`: multipart with `file`, `uploadPath` and, unless any name will do, `fileName`. */
export function streamUploadHandler(options: UploadOptions): Handler {
  return async ({ request, response }) => {
    if (!/^multipart\/form-data\b/i.test(request.headers['content-type'] ?? ''))
      return refuse(response, 'Send the file as multipart/form-data');
    const path = await newFile(options);
    const fields = new Map<string, string>();
    const files: { field: string; ownName: string; mimeType: string; written: Promise<void> }[] = [];
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
      const [file] = files;
      await file?.written;
      if (file?.field === 'file') {
        const names = namesIn((name) => fields.get(name) ?? '');
        return await keepFile(response, options, { ...file, path, ...names });
      }
      await rm(path, { force: true });
      return refuse(response, 'Missing required parameter: file');
    } catch (error) {
      await rm(path, { force: true });
      return refuse(
        response,
        `File upload failed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
}

/** kie.ai docs: "File Upload API", the newest copies; older ones say three days. */
const KEPT_MS = 24 * 3_600_000;

/** Creates the directory for this user alone, and deletes expired files in it. */
async function prepareUploads(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !(await isKept(path))) await rm(path, { force: true });
  }
}

/** Moves a file to its name below `dir`; one that has that name already is replaced. */
async function keepUpload(dir: string, file: string, name: string): Promise<void> {
  const target = join(dir, name);
  await mkdir(dirname(target), { recursive: true });
  await rename(file, target);
}

/** Whether a file is there and young enough to be served. */
export async function isKept(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    return mtimeMs > Date.now() - KEPT_MS;
  } catch {
    return false;
  }
}

/** Whether a path stays below where it begins: plain names, none of which begins with a dot. */
export function isPlainPath(path: string): boolean {
  return /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/.test(path);
}
