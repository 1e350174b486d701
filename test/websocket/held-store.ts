import type { TaskStore } from '../../src/tasks/store.ts';
import { deferred } from '../kit/waits.ts';

type ReadName = 'find' | 'changesAfter' | 'newestRevision';
type Intercept = <T>(read: () => Promise<T>) => Promise<T>;

/** One read that is stopped on its way. */
export interface Hold {
  /** Resolves when the read has been begun, and done as far as it may. */
  readonly reached: Promise<void>;
  readonly release: () => void;
}

export interface HeldStore {
  readonly store: TaskStore;
  /** Stops the next read of this kind that is not taken yet, before it reads. */
  holdRead(name: ReadName): Hold;
  /** Stops the next read of this kind that is not taken yet when it has read: its answer grows old. */
  holdAnswer(name: ReadName): Hold;
  /** Has the next read of this kind that is not taken yet reject. */
  fail(name: ReadName, error: Error): void;
  /** Lets the next read of this kind that is not taken yet pass: for holding the one after it. */
  pass(name: ReadName): void;
  /** How many reads of this kind were begun. */
  reads(name: ReadName): number;
}

/** A store whose reads a test can stop at a chosen moment; everything else is the store's own. */
export function holdStore(inner: TaskStore): HeldStore {
  const intercepts: Record<ReadName, Intercept[]> = { find: [], changesAfter: [], newestRevision: [] };

  const reads: Record<ReadName, number> = { find: 0, changesAfter: 0, newestRevision: 0 };

  const through = <T>(name: ReadName, read: () => Promise<T>): Promise<T> => {
    reads[name] += 1;
    const intercept = intercepts[name].shift();
    return intercept ? intercept(read) : read();
  };
  const hold = (name: ReadName, when: 'before' | 'after'): Hold => {
    const reached = deferred(`a read "${name}" of the store`);
    const released = deferred();
    intercepts[name].push(async (read) => {
      const early = when === 'after' ? { answer: await read() } : null;
      reached.resolve();
      await released.promise;
      return early ? early.answer : read();
    });
    return { reached: reached.promise, release: released.resolve };
  };

  return {
    store: {
      ...inner,
      find: (...args) => through('find', () => inner.find(...args)),
      changesAfter: (...args) => through('changesAfter', () => inner.changesAfter(...args)),
      newestRevision: () => through('newestRevision', () => inner.newestRevision()),
    },
    holdRead: (name) => hold(name, 'before'),
    holdAnswer: (name) => hold(name, 'after'),
    fail: (name, error) => intercepts[name].push(() => Promise.reject(error)),
    pass: (name) => intercepts[name].push((read) => read()),
    reads: (name) => reads[name],
  };
}
