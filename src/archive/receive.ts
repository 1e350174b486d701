import type { FileHandle } from 'node:fs/promises';
import type { Provider } from '../tasks/provider.ts';
import type { StoredVideo } from '../tasks/video.ts';
import type { ReceivedFile } from './storage.ts';
import { download, type DownloadOptions } from './download.ts';
import { inspectVideo } from './mp4.ts';

/** A complete video in a file. */
export type ReceivedVideo = ReceivedFile & Omit<StoredVideo, 'storedAt'>;

interface NotReceived {
  readonly reason: string;
  /** Whether a later attempt cannot succeed either. */
  readonly isFinal: boolean;
}

/** Downloads a video into an empty file and verifies it. Rejects only for errors of the file. */
export type ReceiveVideo = (
  url: string,
  file: FileHandle,
  signal: AbortSignal,
) => Promise<ReceivedVideo | NotReceived>;

/** A refused URL is requested once more through the provider's call for that. */
export function createReceiveVideo(
  { freshUrl }: Pick<Provider, 'freshUrl'>,
  options: Omit<DownloadOptions, 'signal'>,
): ReceiveVideo {
  return async (url, file, signal) => {
    let received = await download(url, file, { ...options, signal });
    if (received.kind === 'failed' && isRefused(received.status)) {
      const fresh = await freshUrl(url);
      if (fresh !== null) received = await download(fresh, file, { ...options, signal });
    }
    if (received.kind === 'failed') return { reason: received.reason, isFinal: received.isTooLarge === true };
    const { bytes, sha256 } = received;
    const facts = await inspectVideo(file, bytes);
    return 'reason' in facts ? { ...facts, isFinal: false } : { ...facts, bytes, sha256 };
  };
}

function isRefused(status: number | null): boolean {
  return status !== null && status >= 400 && status < 500;
}
