import { setTimeout as delay } from 'node:timers/promises';

/** What the running test waits for, by name, so that a test which ran out of time can say what never came. */

const waits = new Set<{ readonly what: string }>();

/** Returns `promise`, and names it among what is waited for until it is settled. Abandoning it is harmless. */
export function named<T>(what: string, promise: Promise<T>): Promise<T> {
  const wait = { what };
  const forget = (): boolean => waits.delete(wait);
  waits.add(wait);
  promise.then(forget, forget);
  return promise;
}

/** Hands out the names of what is still waited for, and forgets them. */
export function takeWaits(): string[] {
  const names = [...waits].map(({ what }) => what);
  waits.clear();
  return names;
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: Error) => void;
}

/**
 * A promise that the test settles. The name of the fact it stands for ("the request was cancelled") is told
 * when the test fails while it is still open.
 */
export function deferred<T = void>(name?: string): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise: name === undefined ? promise : named(name, promise), resolve, reject };
}

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

/**
 * Proves that something does not happen: throws when `promise` settles within a short while. The one place where a
 * test may let time pass; the promise may stay abandoned afterwards.
 */
export async function staysPending(promise: Promise<unknown>, forMs = 50): Promise<void> {
  const settled = promise.then(
    (value) => ({ how: 'resolved', with: value }),
    (reason: unknown) => ({ how: 'rejected', with: reason }),
  );
  const early = await Promise.race([settled, delay(forMs)]);
  if (early === undefined) return;
  throw new Error(`Nothing was to happen, but it ${early.how}`, { cause: early.with });
}

/**
 * What a test leaves behind: things to dispose of when it ends, and failures nobody awaited.
 * One stack per test file; tests of one file run one after the other.
 */

type Dispose = () => Promise<void> | void;

const testDisposals: Dispose[] = [];
const fileDisposals: Dispose[] = [];
const failures: Error[] = [];

/**
 * Calls `dispose` when the running test ends, whether it passed or failed, the latest first.
 * Called in a `beforeAll`, it is disposed of after the first test already.
 */
export function onTestEnd(dispose: Dispose): void {
  testDisposals.push(dispose);
}

/** What `make` makes for the first test that calls this, for all tests of the file; disposed of after the last one. */
export function oncePerFile<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= keep());

  async function keep(): Promise<T> {
    const before = testDisposals.length;
    const value = await make();
    fileDisposals.push(...testDisposals.splice(before));
    return value;
  }
}

/** Makes the running test fail at its end, for trouble that happens where no test can see it thrown. */
export function recordFailure(failure: Error | string): void {
  failures.push(typeof failure === 'string' ? new Error(failure) : failure);
}

/** Hands out the failures recorded so far and forgets them: for a test that expects one. */
export function takeFailures(): Error[] {
  return failures.splice(0);
}

/**
 * Runs every disposal to its end, even when another one throws, and then throws everything that went
 * wrong: the recorded failures first, then what the disposals threw.
 */
export async function disposeLeftovers(of: 'test' | 'file' = 'test'): Promise<void> {
  const disposals = of === 'test' ? testDisposals : fileDisposals;
  const thrown: unknown[] = [];
  for (let dispose = disposals.pop(); dispose !== undefined; dispose = disposals.pop()) {
    try {
      await dispose();
    } catch (error) {
      thrown.push(error);
    }
  }
  const all = [...takeFailures(), ...thrown];
  if (all.length === 1) throw all[0];
  if (all.length > 1) throw new AggregateError(all, all.map(String).join('\n'));
}
