import { request, type Dispatcher } from 'undici';
import type { ImageIssue, InspectImage } from '../tasks/image-issue.ts';
import { RequestError } from '../tasks/failure.ts';
import { createInspector } from './header.ts';
import { createOutwardAgent, type OutwardOptions } from './safe-fetch.ts';
import { MAX_PICTURE_BYTES, PictureError, tooLarge } from './image.ts';
import type { UploadStore } from './upload.ts';

export interface InspectImageOptions extends Pick<OutwardOptions, 'lookup' | 'isAllowed'> {
  readonly uploads: Pick<UploadStore, 'isUploaded'>;
  readonly userAgent: string;
  readonly now: () => number;
  /** How long one look may take. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_REDIRECTIONS = 3;
/** By then another process answers, or this one's successor. */
const COME_BACK_MS = 5_000;
/** Two for each of some tasks that an owner creates at once; each may take its whole time. */
const MAX_LOOKS_PER_OWNER = 16;

/**
 * Looks at the picture behind a URL as the provider will, from the outside: that it can be fetched, its type, size and
 * dimensions. Reads no further than it has to, and says nothing of a picture that was uploaded here. Whoever asks
 * learns nothing of addresses that are not public, not even whether there is something.
 */
export function createInspectImage(options: InspectImageOptions): InspectImage {
  const { now, timeoutMs = TIMEOUT_MS, uploads, userAgent } = options;
  const underWay = new Map<string, number>();

  async function inspect(url: string, stopping: AbortSignal): Promise<ImageIssue | null> {
    const agent = createOutwardAgent({
      ...options,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      maxRedirections: MAX_REDIRECTIONS,
    });
    const signal = AbortSignal.timeout(timeoutMs);
    const breakOff = (): void => {
      void agent.destroy();
    };
    stopping.addEventListener('abort', breakOff);
    try {
      await look(url, { dispatcher: agent, signal, userAgent });
      return null;
    } catch (error) {
      if (error instanceof PictureError) return error;
      if (stopping.aborted) throw stopped();
      return signal.aborted ? TOO_SLOW : UNREACHABLE;
    } finally {
      stopping.removeEventListener('abort', breakOff);
      await agent.destroy();
    }
  }

  return async (owner, url, stopping) => {
    if (await uploads.isUploaded(url, now())) return null;
    if (stopping.aborted) throw stopped();
    const looks = underWay.get(owner) ?? 0;
    if (looks >= MAX_LOOKS_PER_OWNER) throw new RequestError('RATE_LIMITED', TOO_MANY, timeoutMs);
    underWay.set(owner, looks + 1);
    try {
      return await inspect(url, stopping);
    } finally {
      const left = (underWay.get(owner) ?? 1) - 1;
      if (left > 0) underWay.set(owner, left);
      else underWay.delete(owner);
    }
  };
}

const TOO_MANY = 'Too many pictures are being looked at; nothing was stored.';

function stopped(): RequestError {
  const message = 'The gateway is stopping, and has not looked at the picture; nothing was stored.';
  return new RequestError('SERVICE_UNAVAILABLE', message, COME_BACK_MS);
}

interface Look {
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
  readonly userAgent: string;
}

/** Throws PictureError for what is wrong with the picture, and anything else when there is none to be had. */
async function look(url: string, { userAgent, ...how }: Look): Promise<void> {
  const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': userAgent };
  const answer = await request(url, { ...how, headers });
  if (answer.statusCode !== 200) throw notServed(answer.statusCode);
  const { 'content-encoding': encoding = 'identity', 'content-length': length } = answer.headers;
  // Packed although we asked for it as it is: what is inside is left to the provider.
  if (encoding !== 'identity') return;
  if (Number(length) > MAX_PICTURE_BYTES) throw tooLarge();
  const inspector = createInspector();
  try {
    for await (const chunk of answer.body) {
      inspector.push(chunk as Buffer);
      // Its size was said beforehand, and everything else is known by now.
      if (inspector.picture && length !== undefined) return;
    }
  } catch (error) {
    // Too slow to see how long it is, but nothing that was seen speaks against it.
    if (inspector.picture && !(error instanceof PictureError)) return;
    throw error;
  }
  inspector.end();
}

function notServed(status: number): PictureError {
  return new PictureError(
    'IMAGE_UNREACHABLE',
    `The picture cannot be fetched: its server answers with status ${status}. The provider needs an address that works without signing in.`,
  );
}

const UNREACHABLE: ImageIssue = {
  code: 'IMAGE_UNREACHABLE',
  message:
    'The picture cannot be fetched: its host is unknown, not public, or does not answer. Give an address that works from everywhere, or upload the picture.',
};

const TOO_SLOW: ImageIssue = {
  code: 'IMAGE_UNREACHABLE',
  message: 'The picture cannot be fetched: it took too long to arrive. Try again, or upload the picture.',
};
