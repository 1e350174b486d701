import { deferred, type Deferred } from './deferred.ts';
import { named } from './waits.ts';

export interface Queue<T> {
  push(value: T): void;

  /**
   * The oldest value that is `accepted` (any, when left out) and not yet taken: at once when it has come
   * already, else when it comes. Rejects once the queue has failed and holds no such value.
   */
  take(accepts?: (value: T) => boolean): Promise<T>;

  /** Ends the queue: what it holds can still be taken, everything beyond that rejects with `reason`. */
  fail(reason: Error): void;
}

interface Waiter<T> {
  readonly accepts: (value: T) => boolean;
  readonly taken: Deferred<T>;
}

/** `what` names one value in the list of what a failed test was waiting for. */
export function createQueue<T>(what: string): Queue<T> {
  // No waiter ever accepts a value that lies here: when all accept anything, one of the two is always empty.
  const values: T[] = [];
  const waiters: Waiter<T>[] = [];
  let failure: Error | undefined;

  return {
    push(value) {
      const index = waiters.findIndex(({ accepts }) => accepts(value));
      const [waiter] = index < 0 ? [] : waiters.splice(index, 1);
      if (waiter === undefined) values.push(value);
      else waiter.taken.resolve(value);
    },

    take(accepts = () => true) {
      const taken = deferred<T>();
      const index = values.findIndex(accepts);
      if (index >= 0) taken.resolve(values.splice(index, 1)[0] as T);
      else if (failure !== undefined) taken.reject(failure);
      else waiters.push({ accepts, taken });
      return named(what, taken.promise);
    },

    fail(reason) {
      failure ??= reason;
      for (const { taken } of waiters.splice(0)) taken.reject(failure);
    },
  };
}
