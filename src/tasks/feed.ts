import type { AnnouncedRecord } from './task.ts';

/** Gets changes that were committed together in one call, in order of revision. */
export type FeedListener = (changes: readonly AnnouncedRecord[]) => void;

/**
 * Tells committed changes to whoever is attached in this process. Attaching takes effect at once, listeners are called
 * synchronously and in order of revision, and one that throws harms nobody else.
 */
export interface Feed {
  publish(changes: readonly AnnouncedRecord[]): void;
  /** Follows one task; the returned function detaches, at once and as often as it is called. */
  onTask(id: string, listener: FeedListener): () => void;
  /** Follows all tasks of an owner. */
  onOwner(owner: string, listener: FeedListener): () => void;
  /** How many listeners are attached now. */
  size(): number;
  /** Changes that were told may be lost: calls everybody who gave a function to `onSetBack`. */
  setBack(): void;
  /** Has `run` called when whoever listens has to begin anew. */
  onSetBack(run: () => void): void;
}

export function createFeed(onListenerError: (error: unknown) => void): Feed {
  const byTask = new Map<string, Set<FeedListener>>();
  const byOwner = new Map<string, Set<FeedListener>>();
  const setBacks: (() => void)[] = [];

  function tell(listeners: Set<FeedListener> | undefined, changes: readonly AnnouncedRecord[]): void {
    if (!listeners) return;
    // A copy: a listener may detach itself or attach another one while it is told.
    for (const listener of [...listeners]) {
      if (!listeners.has(listener)) continue;
      try {
        listener(changes);
      } catch (error) {
        onListenerError(error);
      }
    }
  }

  return {
    publish(changes) {
      for (const change of changes) tell(byTask.get(change.id), [change]);
      for (const owner of new Set(changes.map((change) => change.owner)))
        tell(
          byOwner.get(owner),
          changes.filter((change) => change.owner === owner),
        );
    },
    onTask: (id, listener) => attach(byTask, id, listener),
    onOwner: (owner, listener) => attach(byOwner, owner, listener),
    size: () => count(byTask) + count(byOwner),
    setBack() {
      for (const run of setBacks) run();
    },
    onSetBack: (run) => setBacks.push(run),
  };
}

function attach(topics: Map<string, Set<FeedListener>>, topic: string, listener: FeedListener): () => void {
  const listeners = topics.get(topic) ?? new Set();
  topics.set(topic, listeners.add(listener));
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && topics.get(topic) === listeners) topics.delete(topic);
  };
}

function count(topics: Map<string, Set<FeedListener>>): number {
  let sum = 0;
  for (const listeners of topics.values()) sum += listeners.size;
  return sum;
}
