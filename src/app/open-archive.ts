import { join } from 'node:path';
import type { Logger } from 'pino';
import type { ArchiveStore } from '../archive/archive-store.ts';
import { startCopier } from '../archive/copier.ts';
import { createPace } from '../archive/pace.ts';
import { createReceiveVideo } from '../archive/receive.ts';
import type { VideoStorage } from '../archive/storage.ts';
import type { ArchiveTimings } from '../archive/timings.ts';
import { startArchiveUpkeep } from '../archive/upkeep.ts';
import type { Config } from '../config/config.ts';
import { videoPath, type FoundVideo } from '../http/videos.ts';
import type { ArchiveMetrics } from '../metrics/archive-metrics.ts';
import { proxyFor } from '../providers/proxy.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { Provider } from '../tasks/provider.ts';
import { createSignedAddress } from '../tasks/signed-address.ts';
import type { TaskStore } from '../tasks/store.ts';
import type { Task } from '../tasks/task.ts';
import { isToCopy, type VideoArchive } from '../tasks/video.ts';
import { USER_AGENT } from '../version.ts';
import type { Upstream } from './open-provider.ts';
import type { Cleanup } from './shutdown.ts';

/** Of all copies of this process. kie.ai's limit of creates lets fewer arrive; more would delay answers and commits. */
const BYTES_PER_SECOND = 16_000_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Where the configuration keeps copies of videos. */
export function archiveKind({ archive, databaseUrl }: Config): 'disk' | 's3' | 'off' {
  return archive ?? (databaseUrl === null ? 'disk' : 'off');
}

/** Where copies are kept with ARCHIVE=disk. In its directory `tmp` videos are received, whatever the storage. */
export function videosDir({ dataDir }: Config): string {
  return join(dataDir, 'videos');
}

/**
 * Opens the storage that the configuration names; null for none. Whoever opened it closes it. `isShared`: other processes on
 * this machine may be using it.
 */
export async function openVideoStorage(
  config: Config,
  isShared = config.databaseUrl !== null,
): Promise<VideoStorage | null> {
  const kind = archiveKind(config);
  if (kind === 'off') return null;
  if (kind === 'disk') {
    const { openDiskStorage } = await import('../archive/disk.ts');
    return openDiskStorage(videosDir(config), { isExclusive: !isShared });
  }
  const { openS3Storage } = await import('../archive/s3.ts');
  return openS3Storage({
    url: config.archiveS3Url ?? '',
    region: config.awsRegion,
    accessKeyId: config.awsAccessKeyId ?? '',
    secretAccessKey: config.awsSecretAccessKey ?? '',
    sessionToken: config.awsSessionToken,
    serve: config.archiveServe,
    incoming: join(videosDir(config), 'tmp'),
    proxy: proxyFor(config.archiveS3Url ?? '', config),
  });
}

interface Parts {
  readonly log: Logger;
  readonly cleanup: Cleanup;
  readonly store: TaskStore & ArchiveStore;
  readonly provider: Provider;
  readonly upstream: Upstream;
  /** The gateway's URL for clients. Called at each use. */
  readonly baseUrl: () => string;
  readonly timings: ArchiveTimings;
  readonly openMetrics: () => ArchiveMetrics;
}

/** The copies of videos: what clients are told, who makes them, and how they are served. */
export interface Archive extends VideoArchive {
  readonly workers: TaskPorts['workers'];
  isToken(taskId: string, place: number, token: string): boolean;
  find(taskId: string, place: number): Promise<FoundVideo | null>;
}

/** null when no copies are kept. */
export async function openArchive(config: Config, parts: Parts): Promise<Archive | null> {
  const { baseUrl, cleanup, openMetrics, provider, store, timings, upstream } = parts;
  const storage = await openVideoStorage(config);
  if (!storage) return null;
  cleanup.add(() => storage.close());
  const { archiveConcurrency: concurrency, archiveKeepDays, archiveMaxBytes: maxBytes } = config;
  const keepMs = archiveKeepDays === null ? null : archiveKeepDays * DAY_MS;
  const receive = createReceiveVideo(provider, {
    // The sandbox's results are files of this gateway.
    allowedOrigins: () => [upstream.url, ...(upstream.kind === 'sandbox' ? [baseUrl()] : [])],
    proxyOf: (url) => proxyFor(url, config),
    userAgent: USER_AGENT,
    maxBytes: config.archiveMaxVideoBytes,
    idleMs: timings.idle,
    totalMs: timings.download,
    pace: createPace(BYTES_PER_SECOND),
  });
  const address = createSignedAddress(await store.secret('videos'), baseUrl, (id, token) => {
    const [taskId = '', place = ''] = id.split('/');
    return videoPath(taskId, Number(place), token);
  });
  const copier = { store, storage, receive, concurrency, timings, onOutcome: openMetrics().count };
  return {
    keepMs,
    urlOf: (taskId, place) => address.urlFor(`${taskId}/${place}`) ?? '',
    isToken: (taskId, place, token) => address.isToken(`${taskId}/${place}`, token),
    find: (taskId, place) => findVideo(store, storage, taskId, place),
    workers: [
      (ports) => startCopier(ports, copier),
      (ports) => startArchiveUpkeep(ports, { store, storage, timings, keepMs, maxBytes }),
    ],
  };
}

async function findVideo(
  store: TaskStore & ArchiveStore,
  storage: VideoStorage,
  taskId: string,
  place: number,
): Promise<FoundVideo | null> {
  const task = await store.get(taskId);
  const video = task?.videos[place];
  if (!task || !video) return null;
  if (isToCopy(video)) return { kind: 'pending', url: video.url };
  if (video.copy?.state === 'LOST') return { kind: 'lost', reason: video.copy.reason };
  return storedVideo(store, storage, task, place);
}

async function storedVideo(
  store: ArchiveStore,
  storage: VideoStorage,
  { id, prompt }: Pick<Task, 'id' | 'prompt'>,
  place: number,
): Promise<FoundVideo> {
  const copy = await store.copyOf(id, place);
  if (!copy) return { kind: 'deleted' };
  const { bytes, object, sha256: etag } = copy;
  return {
    kind: 'stored',
    bytes,
    etag,
    fileName: fileNameOf(prompt),
    read: (range) => storage.read(object, range),
    link: (disposition) => storage.link(object, disposition),
  };
}

const MAX_NAME = 60;

/** A file name of letters, digits and hyphens that is made of a prompt. */
export function fileNameOf(prompt: string): string {
  const words = prompt.normalize('NFC').match(/[\p{L}\p{N}]+/gu) ?? [];
  const name = Array.from(words.join('-')).slice(0, MAX_NAME).join('');
  return `${name === '' ? 'video' : name}.mp4`;
}
