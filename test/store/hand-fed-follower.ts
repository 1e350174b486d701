import { ReplicaChangeReader } from '../../src/store/replica-changes.ts';
import type { Commit } from '../../src/store/writer-queue.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { deferred, type Deferred } from '../support/deferred.ts';
import { onTestEnd } from '../support/leftovers.ts';
import { createQueue } from '../support/queue.ts';
import { hiddenTask } from './records.ts';

/** A task that was changed with this revision. */
export function change(revision: number): VisibleRecord {
  return { ...hiddenTask(), revision };
}

/** A commit of this process that took these revisions, each for a change. */
export function commitOf(...revisions: readonly [number, ...number[]]): Commit {
  return { before: revisions[0] - 1, changes: revisions.map(change), last: revisions.at(-1) ?? 0 };
}

/** A read that the test answers. */
interface Read extends Deferred<readonly VisibleRecord[]> {
  readonly after: number;
  readonly limit: number;
}

/** A follower of a store that the test plays; `told` are the revisions in the order in which they were told. */
export function start({ newest = 10, listeners = 1 } = {}) {
  const told: number[] = [];
  const errors: unknown[] = [];
  const reads = createQueue<Read>('a read of changes');
  const audience = {
    listeners,
    publish: (changes: readonly VisibleRecord[]) =>
      void told.push(...changes.map(({ revision }) => revision)),
    size: () => audience.listeners,
    restart: () => {
      restarts.push(told.at(-1) ?? 0);
    },
  };
  const restarts: number[] = [];
  const store = { newest };
  let read = 0;
  const follower = new ReplicaChangeReader({
    audience,
    newestRevision: () => Promise.resolve(store.newest),
    changesAfter: (after, limit) => {
      const answer = deferred<readonly VisibleRecord[]>();
      read += 1;
      reads.push({ ...answer, after, limit });
      return answer.promise;
    },
    onError: (error) => errors.push(error),
  });
  onTestEnd(() => {
    void follower.stop();
  });
  return { audience, errors, follower, readCount: () => read, reads, restarts, store, told };
}

/** The same, once it has begun to follow and has read that nothing was missed. */
export async function follow(options: Parameters<typeof start>[0] = {}) {
  const world = start(options);
  await world.follower.follow();
  await answer(world);
  return world;
}

/** Answers the oldest read that is open, and lets the follower go on. */
export async function answer(
  { reads, store }: ReturnType<typeof start>,
  ...revisions: number[]
): Promise<Read> {
  const read = await reads.take();
  store.newest = Math.max(store.newest, ...revisions);
  read.resolve(revisions.map(change));
  await new Promise(setImmediate);
  return read;
}
