import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { refusal } from './envelope.ts';
import { decodeTaskId } from './task-id.ts';
import { isKept, isPlainPath } from './uploads.ts';

const CLIP = 'kineograph.mp4';
// By the package's own name for it: the build moves this file.
const ASSETS = dirname(fileURLToPath(import.meta.resolve(`#assets/${CLIP}`)));

interface SandboxFilesOptions {
  /** Where the sandbox keeps what was uploaded to it. */
  readonly uploadsDir: string;
}

/**
 * A Fastify plugin: `GET {prefix}/{taskId}.mp4` is the clip for every id of the sandbox, with Range and HEAD, and
 * `{prefix}/uploads/…` what was uploaded; any other name is a 404. It needs no state but the files, so any server may
 * serve them.
 */
export async function sandboxFiles(app: FastifyInstance, { uploadsDir }: SandboxFilesOptions): Promise<void> {
  // A server that serves files already has the decorator, and it cannot be added twice.
  if (!app.hasReplyDecorator('sendFile')) await app.register(fastifyStatic, { root: ASSETS, serve: false });

  app.get<{ Params: { name: string } }>('/:name', (request, reply) => {
    const [, taskId = ''] = /^(.+)\.mp4$/.exec(request.params.name) ?? [];
    if (decodeTaskId(taskId) !== null) return reply.sendFile(CLIP, ASSETS);
    return reply.code(404).send(refusal(404, 'There is no such result file.'));
  });

  app.get<{ Params: { '*': string } }>('/uploads/*', async (request, reply) => {
    const name = request.params['*'];
    if (isPlainPath(name) && (await isKept(join(uploadsDir, name)))) return reply.sendFile(name, uploadsDir);
    return reply.code(404).send(refusal(404, 'There is no such upload, or no longer.'));
  });
}
