import { objectOf, type ArchiveStore, type StoredCopy } from '../../src/archive/archive-store.ts';
import { withCopy } from '../../src/tasks/copies.ts';
import type { Claim, TaskStore } from '../../src/tasks/store.ts';
import type { TaskRecord, VisibleRecord } from '../../src/tasks/task.ts';
import type { Video } from '../../src/tasks/video.ts';
import { NOW, insertVisible } from './records.ts';

/** How long claims of copies last in these tests, in ms. */
export const LEASE = 60_000;

export const VIDEO: Video = { url: 'https://files.example/video.mp4', expiresAt: null };

type Store = ArchiveStore & TaskStore;

/** Stores a visible task that succeeded with one video. */
export function insertSucceeded(
  store: TaskStore,
  completedAt = NOW,
  fields: Partial<TaskRecord> = {},
): Promise<VisibleRecord> {
  return insertVisible(store, { state: 'SUCCESS', completedAt, videos: [VIDEO], ...fields });
}

/** Claims copies at `now` for LEASE. */
export function claimCopies(store: ArchiveStore, now = NOW, limit = 9): Promise<Claim> {
  return store.claimCopies({ now, leaseMs: LEASE, limit });
}

/** A copy of a task's first video, of 1000 bytes in its own object, unless `fields` say otherwise. */
export function copyFor({ id: taskId }: TaskRecord, fields: Partial<StoredCopy> = {}): StoredCopy {
  const own = { taskId, place: 0, ...fields };
  return { object: objectOf(own), sha256: `hash of ${taskId}`, bytes: 1000, storedAt: NOW, ...own };
}

/** The task once a copy is stored. */
export function storedIn(task: TaskRecord, copy: StoredCopy): TaskRecord {
  const { bytes, place, sha256, storedAt } = copy;
  const facts = { durationSeconds: 6, width: 1920, height: 1080 };
  return withCopy(task, place, { state: 'STORED', sha256, bytes, storedAt, ...facts }, NOW + LEASE);
}

/** Saves a copy that nobody else writes, in its own object or that of another copy, and returns the task. */
export async function saveCopy(store: Store, task: TaskRecord, copy: StoredCopy): Promise<VisibleRecord> {
  if (copy.object === objectOf(copy)) await store.reserveObject(copy);
  const saved = await store.saveCopy(storedIn(task, copy), copy);
  if (!saved) throw new Error(`the copy of ${task.id} was not saved`);
  return saved;
}

/** Stores a succeeded task with a copy. */
export async function insertCopied(store: Store, fields: Partial<StoredCopy> = {}) {
  const task = await insertSucceeded(store, fields.storedAt ?? NOW);
  const copy = copyFor(task, fields);
  return { task: await saveCopy(store, task, copy), copy };
}
