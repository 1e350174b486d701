import type { VisibleRecord } from '../task.ts';

/** Gets changes that were committed together in one call, in order of revision. */
export type FeedListener = (changes: readonly VisibleRecord[]) => void;

/**
 * Tells committed changes to whoever is attached in this process. Attaching takes effect at once. Each listener is called
 * in order of revision: before `publish` returns, unless the listeners of a task or owner take long. Then the rest of them
 * are called in later turns of the event loop. A listener that throws harms nobody else.
 */
export interface Feed {
  publish(changes: readonly VisibleRecord[]): void;
  /** Follows one task; the returned function detaches, at once and as often as it is called. */
  onTask(id: string, listener: FeedListener): () => void;
  /** Follows all tasks of an owner. */
  onOwner(owner: string, listener: FeedListener): () => void;
  /**
   * Has every subscription begin anew: the store has lost changes that were told, and may give their revisions to others.
   * Changes that still wait to be told are dropped.
   */
  restart(): void;
  /** Calls `run` at each restart. */
  onRestart(run: () => void): void;
  /** How many listeners are attached now. */
  size(): number;
}

/** `now` is a clock in ms, by which listeners that take long are noticed. */
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
      const slice = topics.slice();
      for (const change of changes) slice.tell(byTask.get(change.id), [change]);
      for (const owner of new Set(changes.map((change) => change.owner)))
        slice.tell(
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

/** The listeners of one task or owner, and what they are still to be told. */
export interface Topic {
  readonly listeners: Set<FeedListener>;
  readonly waiting: News[];
}

interface News {
  readonly changes: readonly VisibleRecord[];
  /** Those who were attached when it was published. */
  readonly audience: readonly FeedListener[];
  /** How many of them were told. */
  told: number;
}

/** Tells topics within a few ms of one turn of the event loop; the rest of each is told in later turns. */
interface Slice {
  tell(topic: Topic | undefined, changes: readonly VisibleRecord[]): void;
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
function createTopics(onListenerError: (error: unknown) => void, now: () => number) {
  const line = new Set<Topic>();

  function call(listener: FeedListener, changes: readonly VisibleRecord[]): void {
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
  const newest = new Map<string, VisibleRecord>();
  for (const { changes } of waiting.splice(1))
    for (const change of changes) {
      // The order of a Map is that of its keys' first insertion, and the revisions have to rise.
      newest.delete(change.id);
      newest.set(change.id, change);
    }
  waiting.push({ changes: [...newest.values()], audience: [...listeners], told: 0 });
}
