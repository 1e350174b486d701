import { writeTask, type Decision } from '../tasks/change.ts';
import { withCopy } from '../tasks/copies.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { TaskStore } from '../tasks/store.ts';
import type { TaskRecord } from '../tasks/task.ts';
import { isClockProven } from '../tasks/time-watch.ts';
import { isToCopy, type Video, type VideoCopy } from '../tasks/video.ts';
import { startWorker, type Loop } from '../tasks/worker.ts';
import { objectOf, type ArchiveStore } from './archive-store.ts';
import type { ReceiveVideo, ReceivedVideo } from './receive.ts';
import { StorageError, type VideoStorage } from './storage.ts';
import type { ArchiveTimings } from './timings.ts';

/** Outcomes of attempts, for metrics. */
export const COPY_OUTCOMES = ['stored', 'shared', 'failed', 'lost', 'storage-failed'] as const;
export type CopyOutcome = (typeof COPY_OUTCOMES)[number];

/** What a copier needs beside the ports of tasks. */
export interface CopierOptions {
  readonly store: ArchiveStore & TaskStore;
  readonly storage: VideoStorage;
  /** Receives a video in a file and verifies it. */
  readonly receive: ReceiveVideo;
  /** How many copies may run at a time. */
  readonly concurrency: number;
  readonly onOutcome: (outcome: CopyOutcome) => void;
  readonly timings: ArchiveTimings;
}

/** Copies videos of succeeded tasks into the storage, until they are stored or can no longer be had. */
export function startCopier(ports: TaskPorts, options: CopierOptions): Loop {
  const { clock, log } = ports;
  const { concurrency, store, timings } = options;
  const stopping = new AbortController();
  let running = 0;
  let pausedUntil = 0;
  /** Tasks whose copies the storage has refused since it last stored one. Several mean that all of it fails. */
  const refused = new Set<string>();

  async function copy(id: string, place: number, video: Video): Promise<void> {
    try {
      if (await copyVideo(ports, options, { id, place }, video.url, stopping.signal)) refused.clear();
    } catch (error) {
      if (!(error instanceof StorageError) || stopping.signal.aborted) throw error;
      refused.add(id);
      if (refused.size > 1) pausedUntil = clock.now() + timings.storagePause;
      log.error(
        { err: error, task: id, place, tasks: refused.size },
        'a video cannot be stored; retrying later',
      );
      await fail(ports, options, { id, place }, { kind: 'refused', reason: 'the storage refuses it' });
    }
  }

  async function copyAll(task: TaskRecord): Promise<void> {
    running += 1;
    const endRenewal = keepClaim(options, ports, task.id);
    try {
      for (const [place, video] of task.videos.entries())
        if (isToCopy(video) && !stopping.signal.aborted) await copy(task.id, place, video);
    } finally {
      endRenewal();
      running -= 1;
      worker.wake();
    }
  }

  const worker = startWorker({
    name: 'copier',
    clock,
    log,
    idleMs: ports.timings.idleLook,
    claim: async () => {
      const now = clock.now();
      if (stopping.signal.aborted || now < pausedUntil) return { records: [], nextAt: pausedUntil };
      // While the storage fails, one task at a time tries it.
      const limit = (refused.size > 1 ? 1 : concurrency) - running;
      if (limit <= 0) return { records: [], nextAt: null };
      return store.claimCopies({ now, leaseMs: timings.lease, limit });
    },
    work: copyAll,
  });
  return {
    wake: worker.wake,
    stop() {
      stopping.abort();
      return worker.stop();
    },
  };
}

/** Renews the claim on a task until the returned function is called. */
function keepClaim({ store, timings }: CopierOptions, { clock, log }: TaskPorts, task: string): () => void {
  let cancel = wait();
  function wait(): () => void {
    return clock.after(timings.lease / 3, () => {
      store.renewCopies(task, clock.now() + timings.lease).catch((error: unknown) => {
        // Without renewal another replica may copy the same video, which stores it once all the same.
        log.warn({ err: error, task }, 'renewing the claim on a copy failed');
      });
      cancel = wait();
    });
  }
  return () => {
    cancel();
  };
}

/** Makes one attempt to copy a video. Returns whether the storage has stored it. Rejects with StorageError. */
async function copyVideo(
  ports: TaskPorts,
  options: CopierOptions,
  { id, place }: Place,
  url: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, log } = ports;
  const startedAt = clock.now();
  const file = await options.storage.receive();
  try {
    const received = await options.receive(url, file.handle, signal).catch(blameStorage);
    // The claim ends with its lease, and another attempt follows.
    if (signal.aborted) return false;
    const ms = clock.now() - startedAt;
    if ('reason' in received) {
      const { isFinal, reason } = received;
      const copy = await fail(ports, options, { id, place }, { kind: isFinal ? 'final' : 'failed', reason });
      log.warn({ task: id, place, reason, ms, state: copy?.state }, 'copying a video failed');
      return false;
    }
    const isShared = await store(ports, options, { id, place }, received, (object) =>
      options.storage.keep(file, object, received),
    );
    log.info(
      { task: id, place, bytes: received.bytes, sha256: received.sha256, isShared, ms },
      'video stored',
    );
    options.onOutcome(isShared ? 'shared' : 'stored');
    return !isShared;
  } finally {
    await file.discard();
  }
}

/** Errors of the file are the only ones there can be, such as a full disk. */
function blameStorage(error: unknown): never {
  throw new StorageError(
    `a video cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    {
      cause: error,
    },
  );
}

interface Place {
  readonly id: string;
  readonly place: number;
}

/** Stores a received video unless an object has its bytes already, and writes the task. Returns whether the object is shared. */
async function store(
  { clock }: TaskPorts,
  { storage, store: archive, timings }: CopierOptions,
  { id, place }: Place,
  { bytes, sha256, ...facts }: ReceivedVideo,
  keep: (object: string) => Promise<void>,
): Promise<boolean> {
  const own = objectOf({ taskId: id, place });
  let isKept = false;
  for (;;) {
    const object = await archive.reserveObject({ taskId: id, place, sha256, bytes });
    if (object === own && !isKept) {
      await keep(own);
      isKept = true;
    }
    const task = await archive.get(id);
    const video = task?.videos[place];
    if (object === null || !task || !video || !isToCopy(video)) {
      // The task was deleted meanwhile, and perhaps what was reserved for it as well.
      if (!task && isKept) await storage.delete(own);
      return !isKept;
    }
    const storedAt = clock.now();
    const copy = { state: 'STORED', sha256, bytes, ...facts, storedAt } as const;
    const next = withCopy(task, place, copy, storedAt + timings.lease);
    if (await archive.saveCopy(next, { taskId: id, place, object, sha256, bytes, storedAt })) return !isKept;
  }
}

interface Failure {
  /** `refused`: by the storage, for which no video is lost. `final`: no later attempt can succeed. */
  readonly kind: 'failed' | 'final' | 'refused';
  readonly reason: string;
}

/** Records a failed attempt. After the last one the video is lost. */
async function fail(
  ports: TaskPorts,
  { onOutcome, store: tasks, timings }: CopierOptions,
  { id, place }: Place,
  { kind, reason }: Failure,
): Promise<VideoCopy | undefined> {
  const now = ports.clock.now();
  const written = await writeTask(tasks, id, (task): Decision => {
    const video = task.videos[place];
    if (!video || !isToCopy(video)) return null;
    const attempts = (video.copy?.state === 'PENDING' ? video.copy.attempts : 0) + 1;
    // While the task's other videos are being copied, the claim goes on.
    const least = task.videos.filter(isToCopy).length > 1 ? timings.lease : 0;
    const nextAt = now + Math.max(least, retryDelay(attempts, timings));
    const deadline = (task.completedAt ?? now) + timings.providerKeeps;
    if (kind === 'final' || (kind === 'failed' && nextAt > deadline && isClockProven(ports)))
      return { save: withCopy(task, place, { state: 'LOST', reason }, now) };
    return { amend: withCopy(task, place, { state: 'PENDING', attempts, reason }, nextAt) };
  });
  const copy = written?.videos[place]?.copy;
  onOutcome(kind === 'refused' ? 'storage-failed' : copy?.state === 'LOST' ? 'lost' : 'failed');
  return copy;
}

/** Exponential backoff with jitter, in whole ms. */
function retryDelay(attempts: number, { firstRetry, longestRetry }: ArchiveTimings): number {
  const delay = Math.min(longestRetry, firstRetry * 2 ** Math.min(attempts - 1, 20));
  return Math.round(delay * (0.8 + 0.4 * Math.random()));
}
