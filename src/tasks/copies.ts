import type { TaskRecord } from './task.ts';
import { isToCopy, type VideoCopy } from './video.ts';

/** The task with what became of the copy at `place`, and the next attempt at `nextAt` if videos are left to copy. */
export function withCopy(task: TaskRecord, place: number, copy: VideoCopy, nextAt: number): TaskRecord {
  const videos = task.videos.map((video, at) => (at === place ? { ...video, copy } : video));
  return { ...task, videos, archiveAt: videos.some(isToCopy) ? nextAt : null };
}

/** The task with its lost videos to be copied again, at once; null if it has none. */
export function withLostRetried(task: TaskRecord): TaskRecord | null {
  if (!task.videos.some(({ copy }) => copy?.state === 'LOST')) return null;
  const videos = task.videos.map((video) => {
    const { copy } = video;
    if (copy?.state !== 'LOST') return video;
    return { ...video, copy: { state: 'PENDING', attempts: 0, reason: copy.reason } as const };
  });
  // In the past by the clock of every replica.
  return { ...task, videos, archiveAt: task.completedAt ?? 0 };
}
