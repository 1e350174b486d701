import type { UploadStore } from '../images/upload.ts';
import type { TaskStore } from '../tasks/store.ts';
import type { VisibleRecord } from '../tasks/task.ts';
import { claimDue, claimSubmissions } from './claims.ts';
import { type CommitObserver, createWriterQueue, type Commit } from './writer-queue.ts';
import type { Connections } from './connections.ts';
import { NOTHING_KEPT, createKeptRecords } from './kept-records.ts';
import { ReplicaChangeReader, type Audience, type ReplicaChanges } from './replica-changes.ts';
import { createOwnerReads, createRecordReads, proveRead, readChanges } from './reads.ts';
import { createWriteProof, proveWrite } from './prove-write.ts';
import { createSlotClock } from './rate-slots.ts';
import { createSweeps } from './upkeep.ts';
import { createUploads } from './uploads.ts';
import { createWrites } from './writes.ts';

export interface TaskStoreOptions {
  /** Is told every committed change of every process, in order of revision. */
  readonly audience: Audience;
  /** Gets the changes of this process as soon as they are committed, before their promises are fulfilled. */
  readonly onWritten?: (changes: readonly VisibleRecord[]) => void;
  /** Whether tasks that were written or read are kept in memory, where no other process writes. */
  readonly keepsRecords?: boolean;
  readonly commits?: CommitObserver;
  /** Told when the changes of other processes cannot be read now; that is tried again. */
  readonly onError: (error: unknown) => void;
}

/** Tasks, and the pictures that lie with the provider, on open connections, which are closed with it. */
export function createTaskStore(
  connections: Connections,
  options: TaskStoreOptions,
): TaskStore & UploadStore {
  const { audience, commits = null, keepsRecords = false, onError, onWritten } = options;
  const { reader } = connections;
  const kept = keepsRecords && connections.isExclusive ? createKeptRecords() : NOTHING_KEPT;
  const ownerReads = createOwnerReads(reader, kept);
  const { newestRevision } = ownerReads;
  const follower = connections.isExclusive
    ? tellAtOnce(audience)
    : new ReplicaChangeReader({ audience, newestRevision, changesAfter: readChanges(reader), onError });
  connections.listen(follower);
  const listener = {
    committed(commit: Commit) {
      follower.committed(commit);
      onWritten?.(commit.changes);
    },
    inDoubt: follower.wake,
  };
  const proof = createWriteProof(commits);
  const queue = createWriterQueue(connections, kept, listener, proof);
  const slotClock = createSlotClock();

  return {
    ...createRecordReads(reader, kept),
    ...ownerReads,
    ...createWrites(queue),
    ...createSweeps(queue),
    ...createUploads(reader, queue),
    takeTurns: (turns) =>
      queue.write({ lock: 'turns' }, (context) => claimSubmissions(context, turns, slotClock)),
    claimDue: (checks) => queue.write({ lock: 'checks' }, ({ trx }) => claimDue(trx, checks, slotClock)),
    follow: follower.follow,
    writeLag: queue.lag,
    async ping() {
      await proveRead(reader);
      await proof.prove(() => queue.write({}, ({ trx }) => proveWrite(trx)));
    },
    async close() {
      await queue.drain();
      await follower.stop();
      await connections.close();
    },
  };
}

/** For the only process on a store: its own commits are all there is. */
function tellAtOnce(audience: Audience): ReplicaChanges {
  return {
    committed: ({ changes }) => {
      audience.publish(changes);
    },
    wake: () => undefined,
    setBack: () => undefined,
    follow: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}
