import type { MultipartFields } from '@fastify/multipart';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MAX_UPLOAD_BYTES, keepFile, refuse, type UploadEnvelope, type UploadOptions } from './keep-file.ts';
import { prepareUploads } from './uploads.ts';

/** `POST /api/file-stream-upload`: multipart with `file`, `uploadPath` and, unless any name will do, `fileName`. */
export function streamUploadHandler(options: UploadOptions) {
  const { uploadsDir } = options;
  return async function streamUpload(request: FastifyRequest, reply: FastifyReply): Promise<UploadEnvelope> {
    if (!request.isMultipart()) return refuse(reply, 'Send the file as multipart/form-data');
    await prepareUploads(uploadsDir);
    const { files, values } = await request.saveRequestFiles({
      tmpdir: uploadsDir,
      limits: { files: 1, fileSize: MAX_UPLOAD_BYTES },
    });
    const [file] = files;
    if (file?.fieldname !== 'file') return refuse(reply, 'Missing required parameter: file');
    return keepFile(reply, options, {
      path: file.filepath,
      mimeType: file.mimetype,
      ownName: file.filename,
      uploadPath: textOf(values as MultipartFields, 'uploadPath'),
      fileName: textOf(values as MultipartFields, 'fileName'),
    });
  };
}

function textOf(values: MultipartFields, name: string): string {
  const field = values[name];
  return field && 'value' in field && field.type === 'field' ? String(field.value) : '';
}
