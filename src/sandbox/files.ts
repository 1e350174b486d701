import send from '@fastify/send';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refusal } from './envelope.ts';
import { sendJson, type SendFile } from './http.ts';
import { decodeTaskId } from './task.ts';

const CLIP = 'kineograph.mp4';
// By the package's own name for it: the build moves this file.
const ASSETS = dirname(fileURLToPath(import.meta.resolve(`#assets/${CLIP}`)));

/**
 * Serves `{taskId}.mp4`, which is the clip for every id of the sandbox, and `uploads/…`, with Range and HEAD. Other paths are
 * 404. It needs nothing but the files, so any server may use it.
 */
export function createSandboxFiles(uploadsDir: string): SendFile {
  return async (request, response, path) => {
    const [, taskId = ''] = /^([^/]+)\.mp4$/.exec(path) ?? [];
    const [, upload = ''] = /^uploads\/(.+)$/.exec(path) ?? [];
    const isResult = decodeTaskId(taskId) !== null;
    if (!isResult && !(isPlainPath(upload) && (await isKept(join(uploadsDir, upload))))) {
      response.statusCode = 404;
      sendJson(response, refusal(404, 'There is no such file, or it has expired.'));
      return;
    }
    const [name, root] = isResult ? [CLIP, ASSETS] : [upload, uploadsDir];
    const { headers, statusCode, stream } = await send(request, name, { root });
    response.once('close', () => stream.destroy());
    stream.on('error', () => response.destroy());
    stream.pipe(response.writeHead(statusCode, headers));
  };
}

/** kie.ai docs: "File Upload API", the newest copies; older ones say three days. */
const KEPT_MS = 24 * 3_600_000;

/** Creates the directory for this user only, and deletes expired files in it. */
export async function prepareUploads(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !(await isKept(path))) await rm(path, { force: true });
  }
}

/** Moves a file to its name below `dir`, and replaces one that has that name. */
export async function keepUpload(dir: string, file: string, name: string): Promise<void> {
  const target = join(dir, name);
  await mkdir(dirname(target), { recursive: true });
  await rename(file, target);
}

async function isKept(path: string): Promise<boolean> {
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: -Infinity }));
  return mtimeMs > Date.now() - KEPT_MS;
}

/** Whether a path stays below its base: plain names, none of which begins with a dot. */
export function isPlainPath(path: string): boolean {
  return /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/.test(path);
}
