import { Counter, type Registry } from 'prom-client';
import { COPY_OUTCOMES, type CopyOutcome } from '../archive/copier.ts';
import type { ArchiveOverview } from '../store/video-copies.ts';
import { keptRead, readGauge } from './metrics.ts';

export interface ArchiveMetrics {
  /** Counts an attempt to copy a video. */
  readonly count: (outcome: CopyOutcome) => void;
}

/** What became of copies of videos, and what is still to be copied. `read` shows all replicas. */
export function createArchiveMetrics(
  registry: Registry,
  { now, read }: { readonly now: () => number; readonly read: () => Promise<ArchiveOverview> },
): ArchiveMetrics {
  const registers = [registry];
  const outcomes = new Counter({
    name: 'kineograph_video_copies_total',
    help: 'Attempts of this process to copy a video: stored, shared (the bytes were stored already), failed (tried again later), lost, storage-failed.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of COPY_OUTCOMES) outcomes.labels(outcome).inc(0);
  const look = keptRead(read);
  const gauge = (name: string, help: string, valueIn: (overview: ArchiveOverview) => number): void => {
    readGauge(registry, `kineograph_${name}`, help, async () => {
      const overview = await look();
      return overview && valueIn(overview);
    });
  };
  gauge('stored_video_bytes', 'Bytes of all stored copies of videos.', ({ bytes }) => bytes);
  gauge('pending_video_copies', 'Tasks with videos that are still to be copied.', ({ pending }) => pending);
  gauge(
    'oldest_pending_video_copy_age_seconds',
    'Time since the oldest task succeeded whose videos are still to be copied; 0 when there is none.',
    ({ oldestAt }) => (oldestAt === null ? 0 : Math.max(0, now() - oldestAt) / 1000),
  );
  gauge(
    'video_bytes_at_risk',
    "Estimated bytes of videos that are still to be copied with less than a quarter of the provider's retention left: their number times the mean size of the newest stored copies, or 10 MiB before there is one.",
    ({ atRiskBytes }) => atRiskBytes,
  );
  return {
    count: (outcome) => {
      outcomes.labels(outcome).inc();
    },
  };
}
