import type { FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { timeoutSignal } from '../tasks/clock.ts';
import { chunksOf } from './chunks.ts';
import { createFetcher, discard, FetchError, type FetchOptions, type Response } from './fetch.ts';
import type { Pace } from './pace.ts';
import type { ReceivedFile } from './storage.ts';
import { readRange, readVersion, type ContentRange, type Version } from './ranges.ts';
import { createVideoWriter, type VideoWriter } from './video-writer.ts';

export interface DownloadOptions extends FetchOptions {
  readonly userAgent: string;
  readonly maxBytes: number;
  /** A transfer breaks when nothing arrives for so long. */
  readonly idleMs: number;
  /** How long all transfers and the pauses between them may take together. */
  readonly totalMs: number;
  /** Of all downloads together. */
  readonly pace?: Pace;
  /** Pause before a broken transfer is resumed. */
  readonly resumeMs?: number;
  /** Ends the download. */
  readonly signal: AbortSignal;
}

export type DownloadResult = ({ readonly kind: 'received' } & ReceivedFile) | Failure;

interface Failure {
  readonly kind: 'failed';
  /** For people; it goes on from "The video could not be copied:". */
  readonly reason: string;
  /** Of the response that refused; null if no status is to blame. */
  readonly status: number | null;
  readonly isTooLarge?: true;
}

/** What is known of a download so far. */
interface Progress {
  readonly writer: VideoWriter;
  /** Whether the server has offered the video. */
  hasBegun: boolean;
  /** Which bytes those in the file are the beginning of; null if that cannot be told. */
  version: Version | null;
  /** Size of the whole video in bytes; null if the server does not say. */
  total: number | null;
}

/** The transfer broke, and may be resumed. */
class BrokenTransfer extends Error {}

/** No other attempt is worth it now. */
class Refusal extends Error {
  readonly failure: Failure;

  constructor(reason: string, more: Partial<Failure> = {}) {
    super(reason);
    this.failure = { kind: 'failed', reason, status: null, ...more };
  }
}

const MAX_RESUMPTIONS = 5;
const RESUME_MS = 1_000;
/** Not the server's last word, when part of the video has come already. */
const PASSING = new Set([408, 429, 500, 502, 503, 504]);

/**
 * Downloads a video into a file, in place of what is there, and hashes it on the way. A broken transfer goes on behind the bytes that have arrived
 * (Range with If-Range: RFC 9110, 13.1.5 and 14.2), or starts over if those may be of another version. Redirects are followed
 * to public addresses and allowed origins. Rejects with errors of the file only.
 */
export async function download(
  url: string,
  file: FileHandle,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const total = timeoutSignal(options.totalMs, 'the download did not end', options.signal);
  const { signal } = total;
  const fetcher = createFetcher(options);
  const writer = createVideoWriter(file);
  try {
    await receive(url, { writer, hasBegun: false, version: null, total: null }, fetcher.get, {
      ...options,
      signal,
    });
    return { kind: 'received', ...writer.finish() };
  } catch (error) {
    if (writer.error !== null) throw writer.error;
    if (options.signal.aborted) return { kind: 'failed', reason: 'the download was stopped', status: null };
    if (total.isOver) return { kind: 'failed', reason: tooSlow(writer, options), status: null };
    if (error instanceof Refusal) return error.failure;
    throw error;
  } finally {
    total.end();
    await fetcher.close();
  }
}

function tooSlow({ bytes }: VideoWriter, { totalMs }: DownloadOptions): string {
  return `it took more than ${totalMs / 1000} seconds; ${bytes} bytes had arrived`;
}

type Get = ReturnType<typeof createFetcher>['get'];

/** Resolves when the file is complete. */
async function receive(url: string, progress: Progress, get: Get, options: DownloadOptions): Promise<void> {
  const { resumeMs = RESUME_MS, signal } = options;
  for (let resumptions = 0; ; resumptions += 1) {
    try {
      await transfer(url, progress, get, options);
      return;
    } catch (error) {
      if (signal.aborted || progress.writer.error !== null || error instanceof Refusal) throw error;
      const reason = reasonOf(error, progress);
      // What was never offered is not resumed: the caller tries again later.
      if (error instanceof FetchError || !progress.hasBegun || resumptions === MAX_RESUMPTIONS)
        throw new Refusal(reason);
    }
    await delay(resumeMs, undefined, { signal });
  }
}

/** One request. Resolves when it has completed the file. */
async function transfer(url: string, progress: Progress, get: Get, options: DownloadOptions): Promise<void> {
  const idle = timeoutSignal(options.idleMs, 'nothing arrived', options.signal);
  try {
    if (progress.version === null) await startOver(progress);
    const response = await get(url, headersFor(progress, options), idle.signal);
    // At once: what arrives before somebody listens is lost with a broken connection.
    const chunks = chunksOf(response.body);
    try {
      await accept(response, progress, options);
      for await (const chunk of chunks) {
        idle.renew();
        await append(chunk, progress, options);
        await options.pace?.(chunk.length);
      }
    } finally {
      discard(response);
    }
    const { total, writer } = progress;
    if (total !== null && writer.bytes < total) throw new BrokenTransfer();
  } catch (error) {
    if (idle.isOver && progress.writer.error === null)
      throw new BrokenTransfer(`its server sent nothing for ${options.idleMs / 1000} seconds`);
    throw error;
  } finally {
    idle.end();
  }
}

function headersFor({ version, writer }: Progress, { userAgent }: DownloadOptions): Record<string, string> {
  const headers = {
    accept: 'video/mp4, video/*, */*;q=0.1',
    'accept-encoding': 'identity',
    'user-agent': userAgent,
  };
  if (version === null || writer.bytes === 0) return headers;
  return { ...headers, range: `bytes=${writer.bytes}-`, 'if-range': version.validator };
}

/** Decides by status and headers where the body of a response belongs. Throws if it does not belong anywhere. */
async function accept(response: Response, progress: Progress, options: DownloadOptions): Promise<void> {
  const { headers, statusCode: status } = response;
  const { version, writer } = progress;
  if (status === 206 && writer.bytes > 0) {
    const isSame = readVersion(headers)?.validator === version?.validator || !hasValidator(headers);
    if (isSame && continues(readRange(headers['content-range']), progress)) return;
    progress.version = null;
    throw new BrokenTransfer('the video was replaced while it was downloaded');
  }
  if (status === 416 && writer.bytes > 0) {
    progress.version = null;
    throw new BrokenTransfer('its server does not have the rest of it');
  }
  if (PASSING.has(status) && progress.hasBegun)
    throw new BrokenTransfer(`its server responded with HTTP ${status}`);
  if (status !== 200) throw new Refusal(`its server responded with HTTP ${status}`, { status });
  const { 'content-encoding': encoding = 'identity', 'content-length': length } = headers;
  if (encoding !== 'identity') throw new Refusal('its server compresses it against the request', { status });
  await startOver(progress);
  progress.hasBegun = true;
  progress.version = readVersion(headers);
  progress.total = length === undefined ? null : Number(length);
  if ((progress.total ?? 0) > options.maxBytes) throw tooLarge(options);
}

/** Whether a range begins where the file ends, within a video of the same size. */
function continues(range: ContentRange | null, progress: Progress): boolean {
  if (range?.start !== progress.writer.bytes) return false;
  const isSameSize = progress.total === null || range.total === null || range.total === progress.total;
  progress.total ??= range.total;
  return isSameSize;
}

function hasValidator({ etag, 'last-modified': modified }: Response['headers']): boolean {
  return etag !== undefined || modified !== undefined;
}

async function startOver(progress: Progress): Promise<void> {
  await progress.writer.restart();
  progress.version = null;
  progress.total = null;
}

async function append(chunk: Buffer, { total, writer }: Progress, options: DownloadOptions): Promise<void> {
  const bytes = writer.bytes + chunk.length;
  if (bytes > options.maxBytes) throw tooLarge(options);
  if (total !== null && bytes > total)
    throw new Refusal(`its server announced ${total} bytes and sends more`);
  await writer.append(chunk);
}

function tooLarge({ maxBytes }: DownloadOptions): Refusal {
  return new Refusal(`it is larger than ${maxBytes} bytes, the limit of this gateway`, { isTooLarge: true });
}

/** Names no addresses: messages of the system may contain some that are not public. */
function reasonOf(error: unknown, { hasBegun, total, writer }: Progress): string {
  if (error instanceof FetchError || (error instanceof BrokenTransfer && error.message !== ''))
    return error.message;
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  if (!hasBegun) return `its host is unknown, not public, or does not respond${code}`;
  return `the transfer broke ${MAX_RESUMPTIONS + 1} times; ${writer.bytes} of ${total ?? 'an unknown number of'} bytes had arrived${code}`;
}
