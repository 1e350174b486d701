import type { FastifyReply } from 'fastify';
import { randomUUID } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { meaningOf } from './envelope.ts';
import { isPlainPath, keepUpload } from './uploads.ts';

/** The upload service says beside the code whether all went well (kie.ai docs: "File Upload API"). */
export interface UploadEnvelope {
  readonly success: boolean;
  readonly code: number;
  readonly msg: string;
  readonly data?: unknown;
}

export interface UploadOptions {
  readonly uploadsDir: string;
  /** The base address of files, without a slash at the end. */
  readonly filesUrl: () => string;
}

/** A file that has arrived, and what was asked for with it. */
export interface ArrivedFile {
  /** Where it lies, among the uploads and under a name that nobody asks for. */
  readonly path: string;
  readonly mimeType: string;
  /** Its name on the other side, for the ending of a random one. */
  readonly ownName: string;
  readonly uploadPath: string;
  readonly fileName: string;
}

/** kie.ai's page recommends at most so much, of an upload by URL; it names no limit for the others. */
export const MAX_UPLOAD_BYTES = 100 * 1024 * 1024;

/** Gives a file its name and answers with where it is; a file of that name is replaced. */
export async function keepFile(
  reply: FastifyReply,
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
    return refuse(reply, problem);
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

export function refuse(reply: FastifyReply, msg: string): UploadEnvelope {
  reply.code(400);
  return refuseUpload(400, msg);
}
