import { named } from './waits.ts';

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
