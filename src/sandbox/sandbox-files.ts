import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { refusal } from './envelope.ts';
import { decodeTaskId } from './task-id.ts';

const CLIP = 'kineograph.mp4';
// By the package's own name for it: the build moves this file.
const ASSETS = dirname(fileURLToPath(import.meta.resolve(`#assets/${CLIP}`)));

/**
 * A Fastify plugin: `GET {prefix}/{taskId}.mp4` is the clip for every id of the sandbox, with Range and HEAD;
 * any other name is a 404. It needs no state, so any server may serve the results of any sandbox.
 */
export async function sandboxFiles(app: FastifyInstance): Promise<void> {
  // A server that serves files already has the decorator, and it cannot be added twice.
  if (!app.hasReplyDecorator('sendFile')) await app.register(fastifyStatic, { root: ASSETS, serve: false });

  app.get<{ Params: { name: string } }>('/:name', (request, reply) => {
    const [, taskId = ''] = /^(.+)\.mp4$/.exec(request.params.name) ?? [];
    if (decodeTaskId(taskId) !== null) return reply.sendFile(CLIP, ASSETS);
    return reply.code(404).send(refusal(404, 'There is no such result file.'));
  });
}
