import { createHash } from 'node:crypto';
import type { ImageIssue } from '../tasks/image-issue.ts';
import type { Log } from '../tasks/log.ts';
import { StoreUnavailableError } from '../tasks/store.ts';
import { createInspector } from './header.ts';
import { PictureError, type Picture } from './image.ts';
import { SpoolError, openSpool, type Spool } from './temp-file.ts';

/** How an upload ends, as data. */
export type UploadOutcome =
  | { readonly kind: 'uploaded'; readonly upload: Upload; readonly isNew: boolean }
  | { readonly kind: 'unfit'; readonly issue: ImageIssue }
  | Exclude<HostAnswer, { kind: 'stored' }>;

/**
 * Takes a picture of an owner: checks it while it comes in, and passes it on once it is whole, unless the owner has
 * uploaded the same bytes before. Rejects with whatever `source` throws; nothing is left behind then.
 */
export type UploadPicture = (owner: string, source: AsyncIterable<Buffer>) => Promise<UploadOutcome>;

const HOUR = 3_600_000;
/** The provider's pages say a day in one place and three in another. */
const KEPT_MS = 24 * HOUR;
/** What would be gone before its task is sent helps nobody: then it is uploaded anew. */
const MIN_LEFT_MS = HOUR;

export function createUploadPicture(options: {
  readonly store: UploadStore;
  readonly host: PictureHost;
  readonly now: () => number;
  readonly log: Log;
}): UploadPicture {
  const { host, log, now, store } = options;
  const underWay = new Map<string, Promise<UploadOutcome>>();

  /** Equal pictures that come at the same time are sent once. */
  async function passOn(owner: string, received: Received, spool: Spool): Promise<UploadOutcome> {
    const key = JSON.stringify([owner, received.hash]);
    const first = underWay.get(key);
    if (first) return asKnown(await first);
    const sending = findOrSend(owner, received, spool).finally(() => underWay.delete(key));
    underWay.set(key, sending);
    return sending;
  }

  async function findOrSend(owner: string, received: Received, spool: Spool): Promise<UploadOutcome> {
    const known = await store.findUpload(owner, received.hash, now() + MIN_LEFT_MS);
    if (known) return { kind: 'uploaded', upload: known, isNew: false };
    const sentAt = now();
    const { bytes, contentType } = received;
    const answer = await host.store({ bytes, contentType, read: () => spool.read() });
    if (answer.kind !== 'stored') return answer;
    const upload = { ...received, url: answer.url, expiresAt: sentAt + KEPT_MS };
    await store.saveUpload(owner, upload);
    return { kind: 'uploaded', upload, isNew: true };
  }

  async function upload(owner: string, source: AsyncIterable<Buffer>): Promise<UploadOutcome> {
    const spool = await openSpool();
    try {
      return await passOn(owner, await receive(source, spool), spool);
    } finally {
      await spool.close();
    }
  }

  return async (owner, source) => {
    try {
      return await upload(owner, source);
    } catch (error) {
      if (error instanceof PictureError) return { kind: 'unfit', issue: error };
      if (!(error instanceof StoreUnavailableError || error instanceof SpoolError)) throw error;
      log.error({ err: error }, 'a picture could not be kept on its way, or its upload not in the store');
      return { kind: 'unavailable', retryAfterMs: null };
    }
  };
}

type Received = Picture & Pick<Upload, 'bytes' | 'hash'>;

async function receive(source: AsyncIterable<Buffer>, spool: Spool): Promise<Received> {
  const inspector = createInspector();
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of source) {
    inspector.push(chunk);
    hash.update(chunk);
    bytes += chunk.length;
    await spool.append(chunk);
  }
  return { ...inspector.end(), bytes, hash: hash.digest('base64url') };
}

function asKnown(outcome: UploadOutcome): UploadOutcome {
  return outcome.kind === 'uploaded' ? { ...outcome, isNew: false } : outcome;
}

/** A picture that lies with the provider. */
export interface Upload extends Picture {
  /** Where the provider, and everybody else, finds it. */
  readonly url: string;
  /** Until when it can be counted on, in ms since the epoch. */
  readonly expiresAt: number;
  readonly bytes: number;
  /** Equal for equal bytes: SHA-256 in base64url. */
  readonly hash: string;
}

/** Which pictures lie with the provider. Every method rejects with StoreUnavailableError. */
export interface UploadStore {
  /** The owner's upload of these bytes that stays until then; null when there is none. */
  findUpload(owner: string, hash: string, until: number): Promise<Upload | null>;
  /** Whether an address is that of an upload, whosoever, that stays until then. */
  isUploaded(url: string, until: number): Promise<boolean>;
  /** Keeps an upload in place of the owner's earlier one of the same bytes. */
  saveUpload(owner: string, upload: Upload): Promise<void>;
}

/** Where pictures are uploaded to: the provider's own service. */
export interface PictureHost {
  /** Stores a picture under a name that no other has. Rejects for nothing that the network or the service does. */
  store(file: PictureFile): Promise<HostAnswer>;
}

export interface PictureFile extends Pick<Upload, 'contentType' | 'bytes'> {
  /** Its bytes from the beginning; asked for anew at each try. */
  read(): AsyncIterable<Buffer>;
}

export type HostAnswer =
  | { readonly kind: 'stored'; readonly url: string }
  /** It said no, and would again. */
  | { readonly kind: 'refused'; readonly message: string }
  /** It said nothing that helps; the same may work later. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number | null };
