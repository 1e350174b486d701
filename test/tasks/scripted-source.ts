import type { ChangeSource, Page } from '../../src/tasks/subscriptions/cursor.ts';
import type { FeedListener } from '../../src/tasks/subscriptions/feed.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { waitingRecord } from '../websocket/stored-tasks.ts';
import { deferred, type Deferred, createQueue } from '../kit/waits.ts';

const TASK = waitingRecord();

export function changeOf(revision: number): VisibleRecord {
  return { ...TASK, revision };
}

/** A read of the source that waits for its answer. */
export interface Read {
  /** The revision after which was read. */
  readonly after: number;
  /** Answers with changes of these revisions. */
  answer(revisions: readonly number[], rest?: Partial<Omit<Page, 'changes'>>): void;
  fail(error: Error): void;
}

/** A source whose reads the test answers, and whose changes it makes. The change with the revision `end` is the last. */
export function scriptedSource({ end = Infinity, isNewestEnough = false } = {}) {
  const reads = createQueue<Read>('a read of the source');
  const listeners = new Set<FeedListener>();
  let attached = 0;
  const source: ChangeSource = {
    attach(listener) {
      attached += 1;
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    read(after) {
      const page: Deferred<Page> = deferred('an answer to a read');
      reads.push({
        after,
        answer: (revisions, rest) => {
          page.resolve({ changes: revisions.map(changeOf), hasMore: false, isEnd: false, ...rest });
        },
        fail: page.reject,
      });
      return page.promise;
    },
    isEnd: ({ revision }) => revision === end,
    isNewestEnough,
  };
  return {
    source,
    nextRead: () => reads.take(),
    tell: (...revisions: readonly number[]) => {
      for (const listener of listeners) listener(revisions.map(changeOf));
    },
    attached: () => attached,
    listeners: () => listeners.size,
  };
}
