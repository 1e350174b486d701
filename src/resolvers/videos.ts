import type { Task } from '../tasks/task.ts';
import type { StoredVideo, Video, VideoCopy } from '../tasks/video.ts';
import type { Context } from './context.ts';

/** A video, with its place among those of its task. */
export interface PlacedVideo extends Video {
  readonly task: Task;
  readonly place: number;
}

export function videosOf(task: Task): readonly PlacedVideo[] {
  return task.videos.map((video, place) => ({ ...video, task, place }));
}

export type ArchiveState = 'OFF' | VideoCopy['state'];

/** The gateway's own copy of a video. */
export interface Archived extends Partial<StoredVideo> {
  readonly state: ArchiveState;
  /** Why there will be none. */
  readonly reason?: string;
}

/** Depends on the change of the task alone, like all of these. */
export function archiveOf({ copy, task }: PlacedVideo, { tasks }: Context): Archived {
  if (copy && copy.state !== 'PENDING') return copy;
  return { state: tasks.archive && task.archiveAt !== null ? 'PENDING' : 'OFF' };
}

/** The gateway's URL, unless no copy is or will be there. */
export function videoUrl(video: PlacedVideo, context: Context): string {
  const { place, task, url } = video;
  const { archive } = context.tasks;
  return archive && archiveOf(video, context).state !== 'OFF' ? archive.urlOf(task.id, place) : url;
}

/** When the video may vanish, in ms since the epoch; null if it is kept without end, or if nobody knows. */
export function videoExpiresAt(video: PlacedVideo, { tasks }: Context): number | null {
  const { copy, expiresAt, task } = video;
  if (!tasks.archive || copy?.state !== 'STORED') return expiresAt;
  const { keepMs } = tasks.archive;
  const ends = [
    ...(keepMs === null ? [] : [copy.storedAt + keepMs]),
    ...(tasks.tasksKept === null || task.completedAt === null ? [] : [task.completedAt + tasks.tasksKept]),
  ];
  return ends.length > 0 ? Math.min(...ends) : null;
}
