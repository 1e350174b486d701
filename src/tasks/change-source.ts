import type { FeedListener } from './feed.ts';
import type { AnnouncedRecord } from './task.ts';

/** What changed after a revision, as the store knows it. */
export interface Page {
  /** Each task in its newest state, in order of revision. */
  readonly changes: readonly AnnouncedRecord[];
  /** There may be more that is newer. */
  readonly hasMore: boolean;
  /** Nothing comes after these. */
  readonly isEnd: boolean;
}

/** What a subscription follows: one task, or all tasks of an owner. */
export interface ChangeSource {
  /** Has `listener` told of every change from now on; the returned function detaches it. */
  attach(listener: FeedListener): () => void;
  /** The oldest changes after `revision`. Rejects with StoreUnavailableError. */
  read(revision: number): Promise<Page>;
  /** Whether nothing comes after this change. */
  isEnd(change: AnnouncedRecord): boolean;
  /** Of several changes that wait only the newest is of interest. */
  readonly isNewestEnough: boolean;
}
