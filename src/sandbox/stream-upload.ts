import type { MultipartFields } from '@fastify/multipart';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { meaningOf } from './envelope.ts';
import { isPlainPath, keepUpload, prepareUploads } from './uploads.ts';

/** The upload service says beside the code whether all went well (kie.ai docs: "File Upload API"). */
interface UploadEnvelope {
  readonly success: boolean;
  readonly code: number;
  readonly msg: string;
  readonly data?: unknown;
}

export interface StreamUploadOptions {
  readonly uploadsDir: string;
  /** The base address of files, without a slash at the end. */
  readonly filesUrl: () => string;
}

/** kie.ai's page recommends at most so much, of an upload by URL; it names no limit for this one. */
const MAX_BYTES = 100 * 1024 * 1024;

/** `POST /api/file-stream-upload`: multipart with `file`, `uploadPath` and, unless any name will do, `fileName`. */
export function streamUploadHandler({ filesUrl, uploadsDir }: StreamUploadOptions) {
  return async function streamUpload(request: FastifyRequest, reply: FastifyReply): Promise<UploadEnvelope> {
    if (!request.isMultipart()) return refuse(reply, 'Send the file as multipart/form-data');
    await prepareUploads(uploadsDir);
    const { files, values } = await request.saveRequestFiles({
      tmpdir: uploadsDir,
      limits: { files: 1, fileSize: MAX_BYTES },
    });
    const [file] = files;
    if (file?.fieldname !== 'file') return refuse(reply, 'Missing required parameter: file');
    const uploadPath = textOf(values as MultipartFields, 'uploadPath');
    if (uploadPath === '') return refuse(reply, 'Missing required parameter: uploadPath');
    const fileName =
      textOf(values as MultipartFields, 'fileName') || `${randomUUID()}${extname(file.filename)}`;
    const filePath = `${uploadPath}/${fileName}`;
    if (!isPlainPath(filePath)) return refuse(reply, 'uploadPath and fileName must be plain names');

    const { size: fileSize } = await stat(file.filepath);
    await keepUpload(uploadsDir, file.filepath, filePath);
    const data = {
      fileName,
      filePath,
      downloadUrl: `${filesUrl()}/uploads/${filePath}`,
      fileSize,
      mimeType: file.mimetype,
      uploadedAt: new Date().toISOString(),
    };
    return { success: true, code: 200, msg: 'File uploaded successfully', data };
  };
}

/** What the upload service answers whoever has no key. */
export function refuseUpload(code: number, msg = meaningOf(code)): UploadEnvelope {
  return { success: false, code, msg };
}

function refuse(reply: FastifyReply, msg: string): UploadEnvelope {
  reply.code(400);
  return refuseUpload(400, msg);
}

function textOf(values: MultipartFields, name: string): string {
  const field = values[name];
  return field && 'value' in field && field.type === 'field' ? String(field.value).trim() : '';
}
