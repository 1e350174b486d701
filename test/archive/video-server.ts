import type { IncomingMessage, ServerResponse } from 'node:http';
import { startImageServer } from '../images/image-server.ts';
import { videoFile } from '../kit/video-file.ts';

export const VIDEO = videoFile({ bytes: 300_000 });
export const OTHER = videoFile({ bytes: 300_000 });
export const ETAG = '"one"';

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A server that answers one request after another; the last answer stays. */
export async function serve(...answers: readonly Answer[]) {
  let next = 0;
  const server = await startImageServer((request, response) => {
    response.on('error', () => undefined);
    answers[Math.min(next++, answers.length - 1)]?.(response, request);
  });
  const origin = `http://127.0.0.1:${server.port}`;
  return { origin, url: `${origin}/video.mp4`, asked: server.asked };
}

export const whole =
  (video = VIDEO, headers: Readonly<Record<string, string>> = { etag: ETAG }): Answer =>
  (response) => {
    response.writeHead(200, { 'content-length': video.length, ...headers }).end(video);
  };

/** Sends so many bytes behind where the request begins, and breaks the connection. */
export const cutAfter =
  (bytes: number, headers: Readonly<Record<string, string>> = { etag: ETAG }): Answer =>
  (response, request) => {
    const start = startOf(request);
    writeHead(response, start, headers);
    response.write(VIDEO.subarray(start, start + bytes), () => response.socket?.end());
    if (bytes === 0) response.flushHeaders();
  };

/** The part that is asked for. */
export const rest =
  (headers: Readonly<Record<string, string>> = { etag: ETAG }): Answer =>
  (response, request) => {
    const start = startOf(request);
    writeHead(response, start, headers);
    response.end(VIDEO.subarray(start));
  };

function startOf({ headers }: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
}

export function writeHead(
  response: ServerResponse,
  start: number,
  headers: Readonly<Record<string, string>>,
): void {
  const { length } = VIDEO;
  const range = { 'content-range': `bytes ${start}-${length - 1}/${length}` };
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': length - start,
    ...(start > 0 && range),
    ...headers,
  });
}

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) => {
    response.writeHead(code, headers).end('no');
  };

export const redirect = (location: string): Answer => status(302, { location });

export const DAY_AGO = { 'last-modified': new Date(Date.now() - 86_400_000).toUTCString() };
