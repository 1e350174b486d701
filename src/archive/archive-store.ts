import type { Claim } from '../tasks/store.ts';
import type { TaskRecord, VisibleRecord } from '../tasks/task.ts';

/** The copy of the video at `place` of a task, in an object. Copies with the same bytes may share one. */
export interface StoredCopy {
  readonly taskId: string;
  readonly place: number;
  readonly object: string;
  readonly sha256: string;
  readonly bytes: number;
  /** In ms since the epoch. */
  readonly storedAt: number;
}

/** A copy to be deleted. */
export interface DoomedCopy extends StoredCopy {
  /** Whether other copies are in the same object. */
  readonly isShared: boolean;
}

/** The name of the object that a copy makes for itself: a retry replaces what an interrupted attempt has left. */
export function objectOf({ place, taskId }: Pick<StoredCopy, 'taskId' | 'place'>): string {
  return `${taskId}-${place}`;
}

/** What the store keeps about copies. Resolved writes are durable; methods reject with StoreUnavailableError in an outage. */
export interface ArchiveStore {
  /**
   * Claims tasks whose videos are due to be copied, those that succeeded first first. Until `now + leaseMs` nobody else gets
   * them.
   */
  claimCopies(query: {
    readonly now: number;
    readonly leaseMs: number;
    readonly limit: number;
  }): Promise<Claim>;
  /** Prolongs the claim on a task until a time. */
  renewCopies(taskId: string, until: number): Promise<void>;
  /**
   * The object for a new copy: that of a copy with the same bytes, or its own. Its own is reserved: it is deleted if the copy is
   * never saved. null if the copy exists already.
   */
  reserveObject(copy: Omit<StoredCopy, 'object' | 'storedAt'>): Promise<string | null>;
  /** The copy of a video; null if there is none, or it is to be deleted. */
  copyOf(taskId: string, place: number): Promise<StoredCopy | null>;
  /**
   * Writes `next` with a new revision, and its new copy; null after a concurrent write, if a shared object is gone, or if its own
   * is not reserved.
   */
  saveCopy(next: TaskRecord, copy: StoredCopy): Promise<VisibleRecord | null>;
  /** Writes `next` with a new revision, and that its copy at `place` is to be deleted; null after a concurrent write. */
  dropCopy(next: TaskRecord, place: number): Promise<VisibleRecord | null>;
  /** Marks a copy without a task as one to be deleted. */
  doomCopy(copy: StoredCopy): Promise<void>;
  /** The copies that were stored first, before a time. */
  oldestCopies(storedBefore: number, limit: number): Promise<readonly StoredCopy[]>;
  /**
   * Copies to be deleted: of deleted tasks, those given to `dropCopy` or `doomCopy`, and what was reserved for a task that awaits no
   * copy any more.
   */
  doomedCopies(limit: number): Promise<readonly DoomedCopy[]>;
  /** Forgets a copy to be deleted: a shared one, or one whose object is deleted. */
  forgetCopy(copy: DoomedCopy): Promise<void>;
  /** Bytes of all objects, reserved ones included. */
  storedBytes(): Promise<number>;
}
