/** Durations in ms. */
export interface ArchiveTimings {
  /** How long the provider keeps results. */
  readonly providerKeeps: number;
  /** How long a claim on a task lasts without renewal. */
  readonly lease: number;
  /** Pause before the first retry; the later ones double, up to the longest. */
  readonly firstRetry: number;
  readonly longestRetry: number;
  /** Pause of all copying after the storage failed for several tasks. */
  readonly storagePause: number;
  /** How long a download may bring nothing. */
  readonly idle: number;
  /** How long one attempt to download may take. */
  readonly download: number;
  /** Interval of deletions. */
  readonly look: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const ARCHIVE_TIMINGS: ArchiveTimings = {
  // According to most of kie.ai's pages; one says 24 hours.
  providerKeeps: 14 * 24 * HOUR,
  lease: MINUTE,
  firstRetry: 10_000,
  longestRetry: HOUR,
  storagePause: MINUTE,
  idle: 30_000,
  download: HOUR,
  look: MINUTE,
};
