import type { AnnouncedRecord } from './task.ts';
import { createTopics, type Topic } from './topics.ts';

/** Gets changes that were committed together in one call, in order of revision. */
export type FeedListener = (changes: readonly AnnouncedRecord[]) => void;

/**
 * Tells committed changes to whoever is attached in this process. Attaching takes effect at once. Each listener is called
 * in order of revision: before `publish` returns, unless the listeners of a task or owner take long. Then the rest of them
 * are called in later turns of the event loop. A listener that throws harms nobody else.
 */
export interface Feed {
  publish(changes: readonly AnnouncedRecord[]): void;
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
