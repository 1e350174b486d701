import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type Envelope, refusal } from './envelope.ts';
import type { Log } from './log.ts';

const HINTS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Send the body as JSON, with the header Content-Type: application/json.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty; send {"model": …, "input": {…}} as JSON.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON; check quotes, commas and braces.',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is too large; send the address of an image, not its content.',
};

/** Answers a path or method that does not exist with an envelope that lists those that do. */
export function notFound(request: FastifyRequest, reply: FastifyReply): Envelope {
  reply.code(404);
  const known =
    'POST /api/v1/jobs/createTask, GET /api/v1/jobs/recordInfo?taskId=, GET /api/v1/chat/credit, ' +
    'POST /api/v1/common/download-url, POST /api/file-stream-upload, /api/file-base64-upload and /api/file-url-upload';
  return refusal(
    404,
    `Not found: ${request.method} ${request.url}. There are ${known} and GET /files/{taskId}.mp4.`,
  );
}

/** Answers requests that could not be read, and our own mistakes, with an envelope; the latter are logged. */
export function requestErrors(log: Log) {
  return function answerError(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): Envelope {
    const status = error.statusCode ?? 500;
    reply.code(status);
    if (status < 500) return refusal(400, HINTS[error.code] ?? error.message);
    log('The sandbox failed to answer a request', { error });
    return refusal(500);
  };
}
