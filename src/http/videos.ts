import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { refusal, retryLater, secondsOf, type Refusal } from '../limits/refusal.ts';
import { sendRefusal } from './problem.ts';
import { pathOf, READ_METHODS, type Route } from './router.ts';

/** Where a video is. */
export type FoundVideo =
  /** A copy is stored. `etag` is without quotes. */
  | {
      readonly kind: 'stored';
      readonly bytes: number;
      readonly etag: string;
      /** A name for the file, without characters that need quoting. */
      readonly fileName: string;
      /** The bytes from `start` up to and including `end`; null if they are gone. */
      readonly read: (range: ByteRange) => Promise<Readable | null>;
      /** A URL of the storage that serves the copy; null if there is none. */
      readonly link: (disposition: string | null) => Promise<string | null>;
    }
  /** The provider still has it. */
  | { readonly kind: 'pending'; readonly url: string }
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'deleted' };

interface ByteRange {
  readonly start: number;
  readonly end: number;
}

interface VideosOptions {
  /** Whether the token belongs to the video at `place` of a task. */
  readonly isToken: (taskId: string, place: number, token: string) => boolean;
  /** null if there is no such video. */
  readonly find: (taskId: string, place: number) => Promise<FoundVideo | null>;
  /** Counts a wrong token of a client. Returns the ms to wait if there were too many, or null. */
  readonly countWrong: (request: IncomingMessage) => Promise<number | null>;
}

/** Paths of videos begin with this. */
const VIDEOS_PATH = '/videos/';
const PATH = /^\/videos\/([\w-]{1,100})\/(\d{1,2})\/([\w-]{1,100})\.mp4$/;

export function videoPath(taskId: string, place: number, token: string): string {
  return `${VIDEOS_PATH}${taskId}/${place}/${token}.mp4`;
}

/** `GET /videos/{taskId}/{place}/{token}.mp4`: a stored video, or a redirect to where it is. Whoever has the URL may play it. */
export function videosRoute(options: VideosOptions): Route {
  return {
    name: `${VIDEOS_PATH}*`,
    methods: READ_METHODS,
    matches: (path) => path.startsWith(VIDEOS_PATH),
    async handle(request, response) {
      // Pages of any origin may show a video to whoever has its URL.
      if (!response.hasHeader('access-control-allow-origin'))
        response.setHeader('access-control-allow-origin', '*');
      response.setHeader('cross-origin-resource-policy', 'cross-origin');
      const found = await findVideo(options, request);
      if ('status' in found) sendRefusal(response, found);
      else await send(request, response, found);
    },
  };
}

type Servable = Extract<FoundVideo, { kind: 'stored' | 'pending' }>;

async function findVideo(
  { countWrong, find, isToken }: VideosOptions,
  request: IncomingMessage,
): Promise<Servable | Refusal> {
  const [, taskId = '', place = '', token = ''] = PATH.exec(pathOf(request)) ?? [];
  if (!isToken(taskId, Number(place), token)) {
    const waitMs = await countWrong(request);
    return waitMs === null ? NOTHING_HERE : tooManyWrong(waitMs);
  }
  const found = await find(taskId, Number(place));
  if (!found) return NOTHING_HERE;
  if (found.kind === 'lost') return lost(found.reason);
  return found.kind === 'deleted' ? DELETED : found;
}

async function send(request: IncomingMessage, response: ServerResponse, found: Servable): Promise<void> {
  if (found.kind === 'pending') {
    redirect(response, 307, found.url);
    return;
  }
  const isDownload = new URLSearchParams((request.url ?? '').split('?')[1]).get('download') === '1';
  const disposition = isDownload ? attachment(found.fileName) : null;
  const link = await found.link(disposition);
  if (link === null) await sendBytes(request, response, found, disposition);
  else redirect(response, 302, link);
}

function redirect(response: ServerResponse, status: number, location: string): void {
  response.writeHead(status, { location, 'cache-control': 'no-store', 'content-length': 0 }).end();
}

/** Answers with all bytes or one range of them (RFC 9110, 13 and 14). Several ranges are answered with all bytes. */
async function sendBytes(
  { headers, method }: IncomingMessage,
  response: ServerResponse,
  { bytes, etag, read }: Extract<FoundVideo, { kind: 'stored' }>,
  disposition: string | null,
): Promise<void> {
  const quoted = `"${etag}"`;
  response.setHeaders(
    new Map([
      ['etag', quoted],
      ['accept-ranges', 'bytes'],
      ['cache-control', 'private, max-age=31536000, immutable'],
      ['access-control-expose-headers', 'Accept-Ranges, Content-Disposition, Content-Range, ETag'],
    ]),
  );
  if (names(headers['if-none-match'], quoted)) {
    response.writeHead(304).end();
    return;
  }
  const isCurrent = headers['if-range'] === undefined || headers['if-range'] === quoted;
  const range = isCurrent && method === 'GET' ? rangeOf(headers.range, bytes) : null;
  if (range === 'unsatisfiable') {
    response.setHeader('cache-control', 'no-store');
    response.setHeader('content-range', `bytes */${bytes}`);
    sendRefusal(response, UNSATISFIABLE);
    return;
  }
  const { end, start } = range ?? { start: 0, end: bytes - 1 };
  const stream = method === 'GET' ? await read({ start, end }) : null;
  if (method === 'GET' && !stream) {
    response.setHeader('cache-control', 'no-store');
    sendRefusal(response, MISSING);
    return;
  }
  response.writeHead(range ? 206 : 200, {
    'content-type': 'video/mp4',
    'content-length': end - start + 1,
    ...(range && { 'content-range': `bytes ${start}-${end}/${bytes}` }),
    ...(disposition !== null && { 'content-disposition': disposition }),
  });
  if (!stream) {
    response.end();
    return;
  }
  // The client left, or the storage broke off: nothing can be said to the client any more.
  await pipeline(stream, response).catch(() => undefined);
}

/** Whether If-None-Match names the entity tag. */
function names(header: string | undefined, quoted: string): boolean {
  const tags = header?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes('*') || tags.includes(quoted);
}

/** The one range that is asked for; null for none, several or an invalid one, which RFC 9110 lets a server ignore. */
function rangeOf(header: string | undefined, bytes: number): ByteRange | 'unsatisfiable' | null {
  const [, first = '', last = ''] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return null;
  if (first === '') {
    const length = Number(last);
    return length === 0 ? 'unsatisfiable' : { start: Math.max(0, bytes - length), end: bytes - 1 };
  }
  const start = Number(first);
  const end = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (last !== '' && Number(last) < start) return null;
  return start >= bytes ? 'unsatisfiable' : { start, end };
}

/** Content-Disposition for a file name of letters, digits and hyphens (RFC 6266). */
function attachment(fileName: string): string {
  const ascii = fileName.replace(/[^\w.-]/g, '_');
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(fileName)}`;
}

const NOTHING_HERE = refusal(
  404,
  'There is no such video.',
  'Query the task for the current URLs of its videos.',
  { code: 'NOT_FOUND' },
);

const DELETED = refusal(
  410,
  'The copy of this video was deleted.',
  'The operator of this gateway limits how long or how much is kept.',
  { code: 'VIDEO_DELETED' },
);

const MISSING = refusal(
  404,
  'The copy of this video is missing in the storage.',
  'The operator of this gateway can find out more with `kineograph archive check`.',
  { code: 'VIDEO_MISSING' },
);

const UNSATISFIABLE = refusal(
  416,
  'The range lies beyond the end of the video.',
  'Ask for an earlier range.',
);

function lost(reason: string): Refusal {
  return refusal(
    410,
    `This video could not be copied before the provider deleted it: ${reason}.`,
    'Create the video again.',
    { code: 'VIDEO_LOST' },
  );
}

function tooManyWrong(waitMs: number): Refusal {
  const seconds = secondsOf(waitMs);
  return retryLater(
    429,
    'Too many wrong URLs came from this address.',
    seconds,
    `Try again in ${seconds} s.`,
  );
}
