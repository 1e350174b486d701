import { request, type Dispatcher } from 'undici';
import type { ImageIssue, InspectImage } from '../tasks/validate-input.ts';
import { createConcurrencyLimit } from '../limits/concurrency.ts';
import { RequestError } from '../tasks/failure.ts';
import { createHeaderReader } from './header.ts';
import { createSafeAgent, type SafeAgentOptions } from './safe-fetch.ts';
import type { ImageRules } from '../models/define-model.ts';
import { ImageError, tooLarge } from './image.ts';
import { createInspectUpload, type UploadStore } from './upload.ts';

interface InspectImageOptions extends Pick<SafeAgentOptions, 'lookup' | 'isAllowed'> {
  readonly uploads: Pick<UploadStore, 'uploadAt'>;
  readonly userAgent: string;
  readonly now: () => number;
  /** How long one check may take. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_REDIRECTIONS = 3;
/** By then another process answers, or this one's successor. */
const RETRY_AFTER_MS = 5_000;
/** Two images for each of eight tasks that an owner creates at once; each check may take its whole time. */
const MAX_CHECKS_PER_OWNER = 16;

/**
 * Fetches the header of the image behind a URL, as the provider would from outside: reachability, type, size and dimensions.
 * Of an image that was uploaded here, it uses what the upload was found to be. The result reveals nothing about addresses that are not public.
 */
export function createInspectImage(options: InspectImageOptions): InspectImage {
  const { now, timeoutMs = TIMEOUT_MS, uploads, userAgent } = options;
  const inspectUpload = createInspectUpload(uploads, now);
  const inFlight = createConcurrencyLimit(MAX_CHECKS_PER_OWNER);

  async function inspect(url: string, rules: ImageRules, stopping: AbortSignal): Promise<ImageIssue | null> {
    const agent = createSafeAgent({
      ...options,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      maxRedirections: MAX_REDIRECTIONS,
    });
    const signal = AbortSignal.timeout(timeoutMs);
    const abort = (): void => {
      void agent.destroy();
    };
    stopping.addEventListener('abort', abort);
    try {
      await check(url, rules, { dispatcher: agent, signal, userAgent });
      return null;
    } catch (error) {
      if (error instanceof ImageError) return error;
      if (stopping.aborted) throw stopped();
      return signal.aborted ? TOO_SLOW : UNREACHABLE;
    } finally {
      stopping.removeEventListener('abort', abort);
      await agent.destroy();
    }
  }

  return async (owner, url, rules, { mayFetch, stopping }) => {
    const known = await inspectUpload(url, rules);
    if (known !== 'not-uploaded') return known;
    if (!mayFetch) return null;
    if (stopping.aborted) throw stopped();
    if (!inFlight.add(owner)) throw new RequestError('RATE_LIMITED', TOO_MANY, timeoutMs);
    try {
      return await inspect(url, rules, stopping);
    } finally {
      inFlight.remove(owner);
    }
  };
}

const TOO_MANY = 'Too many of your images are being checked; nothing was stored.';

function stopped(): RequestError {
  const message = 'The gateway is stopping and has not checked the image; nothing was stored.';
  return new RequestError('SERVICE_UNAVAILABLE', message, RETRY_AFTER_MS);
}

interface Fetching {
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
  readonly userAgent: string;
}

/** Throws ImageError when the image is unfit, and any other error when it cannot be fetched. */
async function check(url: string, rules: ImageRules, { userAgent, ...fetching }: Fetching): Promise<void> {
  const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': userAgent };
  const answer = await request(url, { ...fetching, headers });
  if (answer.statusCode !== 200) throw notServed(answer.statusCode);
  const { 'content-encoding': encoding = 'identity', 'content-length': length } = answer.headers;
  // Compressed against our request: the provider has to judge it.
  if (encoding !== 'identity') return;
  if (Number(length) > rules.maxBytes) throw tooLarge(rules);
  const header = createHeaderReader(rules);
  try {
    for await (const chunk of answer.body) {
      header.push(chunk as Buffer);
      // The size was declared, and everything else is known by now.
      if (header.image && length !== undefined) return;
    }
  } catch (error) {
    // The header is fine and only the total size is unknown: a check that times out here passes.
    if (header.image && !(error instanceof ImageError)) return;
    throw error;
  }
  header.end();
}

function notServed(status: number): ImageError {
  return new ImageError(
    'IMAGE_UNREACHABLE',
    `The image cannot be fetched: its server answers with status ${status}. The provider needs a URL that works without signing in.`,
  );
}

const UNREACHABLE: ImageIssue = {
  code: 'IMAGE_UNREACHABLE',
  message:
    'The image cannot be fetched: its host is unknown, not public, or does not answer. Give a URL that works from everywhere, or upload the image.',
};

const TOO_SLOW: ImageIssue = {
  code: 'IMAGE_UNREACHABLE',
  message: 'The image cannot be fetched: it took too long to arrive. Try again, or upload the image.',
};
