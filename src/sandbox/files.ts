import send from '@fastify/send';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refusal } from './envelope.ts';
import { sendJson, type SendFile } from './http.ts';
import { decodeTaskId } from './task-id.ts';
import { isKept, isPlainPath } from './uploads.ts';

const CLIP = 'kineograph.mp4';
// By the package's own name for it: the build moves this file.
const ASSETS = dirname(fileURLToPath(import.meta.resolve(`#assets/${CLIP}`)));

/**
 * Serves `{taskId}.mp4`, which is the clip for every id of the sandbox, and `uploads/…`, with Range and HEAD. Any other path is
 * a 404. It needs no state but the files, so any server may serve them.
 */
export function createSandboxFiles(uploadsDir: string): SendFile {
  return async (request, response, path) => {
    const [, taskId = ''] = /^([^/]+)\.mp4$/.exec(path) ?? [];
    const [, upload = ''] = /^uploads\/(.+)$/.exec(path) ?? [];
    const isResult = decodeTaskId(taskId) !== null;
    if (!isResult && !(isPlainPath(upload) && (await isKept(join(uploadsDir, upload))))) {
      response.statusCode = 404;
      sendJson(response, refusal(404, 'There is no such file, or no longer.'));
      return;
    }
    const [name, root] = isResult ? [CLIP, ASSETS] : [upload, uploadsDir];
    const { headers, statusCode, stream } = await send(request, name, { root });
    response.once('close', () => stream.destroy());
    stream.on('error', () => response.destroy());
    stream.pipe(response.writeHead(statusCode, headers));
  };
}
