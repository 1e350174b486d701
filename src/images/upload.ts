import { createHash } from 'node:crypto';
import type { ImageRules } from '../models/define-model.ts';
import { IMAGES_OF_ANY_MODEL } from '../models/index.ts';
import type { ImageIssue } from '../tasks/validate-input.ts';
import type { Log } from '../tasks/log.ts';
import { createPlaces } from '../limits/places.ts';
import type { Provider, UploadAnswer } from '../tasks/provider.ts';
import { StoreUnavailableError } from '../tasks/store.ts';
import { createHeaderReader } from './header.ts';
import { assertFits, ImageError, tooLarge, type Image } from './image.ts';
import { TempFileError, openTempFile, type TempFile } from './temp-file.ts';

/** How an upload ends. */
export type UploadOutcome =
  | { readonly kind: 'uploaded'; readonly upload: Upload; readonly isNew: boolean }
  | { readonly kind: 'unfit'; readonly issue: ImageIssue }
  | Exclude<UploadAnswer, { kind: 'stored' }>;

/**
 * Checks an image while it arrives, and passes it on once it is complete, unless the owner has uploaded the same bytes before.
 * Rejects with whatever `source` throws; nothing is left behind then.
 */
export type UploadImage = (owner: string, source: AsyncIterable<Buffer>) => Promise<UploadOutcome>;

/** Few, so that each makes progress on a slow uplink. */
const CONCURRENCY = 4;
const HOUR = 3_600_000;
/** The provider's pages say a day in one place and three in another. */
const KEPT_MS = 24 * HOUR;
/** An upload that expires before its task is sent is useless; the image is uploaded again. */
const MIN_LEFT_MS = HOUR;

export function createUploadImage(options: {
  readonly store: UploadStore;
  /** Stores an image at the provider. */
  readonly send: Provider['upload'];
  readonly now: () => number;
  readonly log: Log;
}): UploadImage {
  const { log, now, send, store } = options;
  const inPlace = createPlaces(CONCURRENCY);
  const inFlight = new Map<string, Promise<UploadOutcome>>();

  async function findOrSend(owner: string, received: Received, file: TempFile): Promise<UploadOutcome> {
    const known = await store.findUpload(owner, received.hash, now() + MIN_LEFT_MS);
    if (known) return { kind: 'uploaded', upload: known, isNew: false };
    const sentAt = now();
    const { bytes, contentType } = received;
    const answer = await inPlace(owner, () => send({ bytes, contentType, read: () => file.read() }));
    if (answer.kind !== 'stored') return answer;
    const upload = { ...received, url: answer.url, expiresAt: sentAt + KEPT_MS };
    await store.saveUpload(owner, upload);
    return { kind: 'uploaded', upload, isNew: true };
  }

  /** Equal images that arrive at the same time are sent once. */
  async function passOn(owner: string, received: Received, file: TempFile): Promise<UploadOutcome> {
    const key = JSON.stringify([owner, received.hash]);
    const first = inFlight.get(key);
    if (first) return asKnown(await first);
    const sending = findOrSend(owner, received, file).finally(() => inFlight.delete(key));
    inFlight.set(key, sending);
    return sending;
  }

  return async (owner, source) => {
    let file: TempFile | undefined;
    try {
      file = await openTempFile();
      return await passOn(owner, await receive(source, file), file);
    } catch (error) {
      if (error instanceof ImageError) return { kind: 'unfit', issue: error };
      if (!(error instanceof StoreUnavailableError || error instanceof TempFileError)) throw error;
      log.error({ err: error }, 'an image could not be buffered, or its upload could not be stored');
      return { kind: 'unavailable', retryAfterMs: null };
    } finally {
      await file?.close();
    }
  };
}

type Received = Image & Pick<Upload, 'bytes' | 'hash'>;

async function receive(source: AsyncIterable<Buffer>, file: TempFile): Promise<Received> {
  const header = createHeaderReader(IMAGES_OF_ANY_MODEL);
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of source) {
    header.push(chunk);
    hash.update(chunk);
    bytes += chunk.length;
    await file.append(chunk);
  }
  return { ...header.end(), bytes, hash: hash.digest('base64url') };
}

function asKnown(outcome: UploadOutcome): UploadOutcome {
  return outcome.kind === 'uploaded' ? { ...outcome, isNew: false } : outcome;
}

/** Checks an image that was uploaded here, by the rules of a model and by what the upload was found to be. */
export function createInspectUpload(store: Pick<UploadStore, 'uploadAt'>, now: () => number) {
  return async (url: string, rules: ImageRules): Promise<ImageIssue | null | 'not-uploaded'> => {
    const upload = await store.uploadAt(url, now());
    if (!upload) return 'not-uploaded';
    try {
      if (upload.bytes > rules.maxBytes) throw tooLarge(rules);
      assertFits(upload, rules);
      return null;
    } catch (error) {
      if (error instanceof ImageError) return error;
      throw error;
    }
  };
}

/** An image that the provider stores. */
export interface Upload extends Image {
  /** Where the provider, and everybody else, finds it. */
  readonly url: string;
  /** Until when it can be counted on, in ms since the epoch. */
  readonly expiresAt: number;
  readonly bytes: number;
  /** SHA-256 of the bytes in base64url. */
  readonly hash: string;
}

/** Which images the provider stores. Every method rejects with StoreUnavailableError. */
export interface UploadStore {
  /** The owner's upload of these bytes that is available until then; null when there is none. */
  findUpload(owner: string, hash: string, until: number): Promise<Upload | null>;
  /** The upload at a URL, of any owner, that is available until then; null when there is none. */
  uploadAt(url: string, until: number): Promise<Upload | null>;
  /** Saves an upload in place of the owner's earlier one of the same bytes. */
  saveUpload(owner: string, upload: Upload): Promise<void>;
}
