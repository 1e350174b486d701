import type { VisibleRecord } from '../task.ts';

/** Receives changes of one commit, in order of revision. */
export type FeedListener = (changes: readonly VisibleRecord[]) => void;

/**
 * Publishes committed changes to the subscriptions of this process. Listeners are called in order of revision, before
 * `publish` returns; if the listeners of a topic take long, the rest is called in later turns of the event loop.
 */
export interface Feed {
  publish(changes: readonly VisibleRecord[]): void;
  /** Attaches to one task. Returns a function that detaches at once; it may be called again. */
  onTask(id: string, listener: FeedListener): () => void;
  /** Attaches to all tasks of an owner. */
  onOwner(owner: string, listener: FeedListener): () => void;
  /**
   * Restarts every subscription and drops undelivered changes: the database lost published changes, and may reuse their
   * revisions.
   */
  restart(): void;
  onRestart(run: () => void): void;
  /** Number of attached listeners. */
  size(): number;
}

/** `now` is a clock in ms that measures listeners. */
export function createFeed(
  onListenerError: (error: unknown) => void,
  now: () => number = () => performance.now(),
): Feed {
  const byTask = new Map<string, Topic>();
  const byOwner = new Map<string, Topic>();
  const topics = createTopics(onListenerError, now);
  const restarts: (() => void)[] = [];

  return {
    publish(changes) {
      const publish = topics.startSlice();
      for (const change of changes) publish(byTask.get(change.id), [change]);
      for (const owner of new Set(changes.map((change) => change.owner)))
        publish(
          byOwner.get(owner),
          changes.filter((change) => change.owner === owner),
        );
    },
    onTask: (id, listener) => attach(byTask, id, listener),
    onOwner: (owner, listener) => attach(byOwner, owner, listener),
    restart() {
      topics.drop();
      for (const run of restarts) run();
    },
    onRestart: (run) => void restarts.push(run),
    size: () => count(byTask) + count(byOwner),
  };
}

function attach(topics: Map<string, Topic>, name: string, listener: FeedListener): () => void {
  const topic = topics.get(name) ?? { listeners: new Set(), waiting: [] };
  topics.set(name, topic);
  topic.listeners.add(listener);
  return () => {
    topic.listeners.delete(listener);
    if (topic.listeners.size === 0 && topics.get(name) === topic) topics.delete(name);
  };
}

function count(topics: Map<string, Topic>): number {
  let sum = 0;
  for (const { listeners } of topics.values()) sum += listeners.size;
  return sum;
}

/** The listeners of one task or owner, with undelivered changes. */
interface Topic {
  readonly listeners: Set<FeedListener>;
  readonly waiting: News[];
}

interface News {
  readonly changes: readonly VisibleRecord[];
  /** Listeners at the time of publication. */
  readonly audience: readonly FeedListener[];
  /** How many of them were called. */
  called: number;
}

/** How long listeners may block the event loop, in ms. */
const SLICE_MS = 5;
/** Cheap listeners per clock reading, which costs a tenth of one. */
const LISTENERS_PER_LOOK = 8;
/** When so much time has passed since the last look, the next one follows after one listener. */
const DEAR_MS = 1;
/** Publications that wait for a topic. Above this, only each task's newest change is kept. */
const MAX_WAITING = 100;

/** Calls listeners in time slices. Busy topics are served round robin; an idle topic is served at once. */
function createTopics(onListenerError: (error: unknown) => void, now: () => number) {
  const queue = new Set<Topic>();

  function call(listener: FeedListener, changes: readonly VisibleRecord[]): void {
    try {
      listener(changes);
    } catch (error) {
      onListenerError(error);
    }
  }

  /** Returns whether everything was delivered by the deadline. */
  function deliverUntil(topic: Topic, deadline: number): boolean {
    let lookedAt = -Infinity;
    let untilLook = 0;
    for (let [news] = topic.waiting; news; [news] = topic.waiting) {
      while (news.called < news.audience.length) {
        if (untilLook === 0) {
          const at = now();
          if (at >= deadline) return false;
          untilLook = at - lookedAt >= DEAR_MS ? 1 : LISTENERS_PER_LOOK;
          lookedAt = at;
        }
        untilLook -= 1;
        const listener = news.audience[news.called];
        news.called += 1;
        if (listener && topic.listeners.has(listener)) call(listener, news.changes);
      }
      if (topic.waiting[0] === news) topic.waiting.shift();
    }
    return true;
  }

  function enqueue(topic: Topic): void {
    if (queue.size === 0) setImmediate(runSlice);
    queue.add(topic);
  }

  function runSlice(): void {
    const deadline = now() + SLICE_MS;
    for (const topic of queue) {
      const isDone = deliverUntil(topic, deadline);
      queue.delete(topic);
      if (!isDone) queue.add(topic);
      if (now() >= deadline) break;
    }
    if (queue.size > 0) setImmediate(runSlice);
  }

  return {
    /** What is published within one slice is delivered now for a few ms, and the rest in later turns. */
    startSlice() {
      const deadline = now() + SLICE_MS;
      return (topic: Topic | undefined, changes: readonly VisibleRecord[]): void => {
        if (!topic || topic.listeners.size === 0) return;
        // A copy: listeners may attach and detach during the call.
        topic.waiting.push({ changes, audience: [...topic.listeners], called: 0 });
        if (topic.waiting.length > MAX_WAITING) mergeWaiting(topic);
        if (topic.waiting.length === 1 && !deliverUntil(topic, deadline)) enqueue(topic);
      };
    },
    drop(): void {
      for (const { waiting } of queue) waiting.length = 0;
    },
  };
}

/** Merges all publications but the current one into each task's newest change. */
function mergeWaiting({ listeners, waiting }: Topic): void {
  const newest = new Map<string, VisibleRecord>();
  for (const { changes } of waiting.splice(1))
    for (const change of changes) {
      // Delete first: a Map keeps the order of first insertion, and revisions must increase.
      newest.delete(change.id);
      newest.set(change.id, change);
    }
  waiting.push({ changes: [...newest.values()], audience: [...listeners], called: 0 });
}
