import type { FeedListener } from './feed.ts';
import type { AnnouncedRecord } from './task.ts';

/** The listeners of one task or owner, and what they are still to be told. */
export interface Topic {
  readonly listeners: Set<FeedListener>;
  readonly waiting: News[];
}

interface News {
  readonly changes: readonly AnnouncedRecord[];
  /** Those who were attached when it was published. */
  readonly audience: readonly FeedListener[];
  /** How many of them were told. */
  told: number;
}

/** Tells topics within a few ms of one turn of the event loop; the rest of each is told in later turns. */
export interface Slice {
  tell(topic: Topic | undefined, changes: readonly AnnouncedRecord[]): void;
}

/** How long listeners may hold up everything else, in ms. */
const SLICE_MS = 5;
/** The clock costs a tenth of what a listener does that shares its work with others. */
const LISTENERS_PER_LOOK = 8;
/** So many publications wait for the listeners of a topic one by one. Of more, each task's newest change is told. */
const MAX_WAITING = 100;

/**
 * Calls listeners in slices, with everything else of the process in between. Topics that have much to tell take turns, and
 * one that has nothing waiting is told at once, whatever others have.
 */
export function createTopics(onListenerError: (error: unknown) => void, now: () => number) {
  const line = new Set<Topic>();

  function call(listener: FeedListener, changes: readonly AnnouncedRecord[]): void {
    try {
      listener(changes);
    } catch (error) {
      onListenerError(error);
    }
  }

  /** Returns whether everything was told by then. */
  function tellUntil(topic: Topic, deadline: number): boolean {
    for (let [news] = topic.waiting; news; [news] = topic.waiting) {
      while (news.told < news.audience.length) {
        if (news.told % LISTENERS_PER_LOOK === 0 && now() >= deadline) return false;
        const listener = news.audience[news.told];
        news.told += 1;
        if (listener && topic.listeners.has(listener)) call(listener, news.changes);
      }
      if (topic.waiting[0] === news) topic.waiting.shift();
    }
    return true;
  }

  function putInLine(topic: Topic): void {
    if (line.size === 0) setImmediate(takeTurn);
    line.add(topic);
  }

  function takeTurn(): void {
    const deadline = now() + SLICE_MS;
    for (const topic of line) {
      const isDone = tellUntil(topic, deadline);
      line.delete(topic);
      if (!isDone) line.add(topic);
      if (now() >= deadline) break;
    }
    if (line.size > 0) setImmediate(takeTurn);
  }

  return {
    slice(): Slice {
      const deadline = now() + SLICE_MS;
      return {
        tell(topic, changes) {
          if (!topic || topic.listeners.size === 0) return;
          // A copy: a listener may detach itself or attach another one while it is told.
          topic.waiting.push({ changes, audience: [...topic.listeners], told: 0 });
          if (topic.waiting.length > MAX_WAITING) mergeWaiting(topic);
          if (topic.waiting.length === 1 && !tellUntil(topic, deadline)) putInLine(topic);
        },
      };
    },
    /** Forgets everything that waits. */
    drop(): void {
      for (const { waiting } of line) waiting.length = 0;
    },
  };
}

/** Everything but what is being told becomes one publication of each task's newest change. */
function mergeWaiting({ listeners, waiting }: Topic): void {
  const newest = new Map<string, AnnouncedRecord>();
  for (const { changes } of waiting.splice(1))
    for (const change of changes) {
      // The order of a Map is that of its keys' first insertion, and the revisions have to rise.
      newest.delete(change.id);
      newest.set(change.id, change);
    }
  waiting.push({ changes: [...newest.values()], audience: [...listeners], told: 0 });
}
