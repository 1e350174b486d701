import type { ArchiveStore } from '../archive/archive-store.ts';
import type { UploadStore } from '../images/upload.ts';
import type { TaskStore } from '../tasks/store.ts';
import type { VisibleRecord } from '../tasks/task.ts';
import { claimDue, claimSubmissions, createSlotClock } from './claims.ts';
import { type CommitObserver, createWriterQueue, type Commit } from './writer-queue.ts';
import type { Connections } from './connections.ts';
import { createRecordCache, NO_CACHE } from './record-cache.ts';
import { createReplicaChanges, type Audience, type ReplicaChanges } from './replica-changes.ts';
import { createReads, readChanges } from './reads.ts';
import { createWriteProof, testRead, testWrite } from './ping.ts';
import { createSweeps } from './upkeep.ts';
import { createVideoCopies } from './video-copies.ts';
import { createUploads } from './uploads.ts';
import { createWrites } from './writes.ts';

export interface TaskStoreOptions {
  /** Receives every committed change of every replica, in order of revision. */
  readonly audience: Audience;
  /** Called with the changes of this process after their commit and before their promises resolve. */
  readonly onWritten?: (changes: readonly VisibleRecord[]) => void;
  readonly commits?: CommitObserver;
  /** Called if the changes of other replicas cannot be read; the read is retried. */
  readonly onError: (error: unknown) => void;
}

/** The store of tasks and of uploads. It owns the connections and closes them. */
export function createTaskStore(
  connections: Connections,
  options: TaskStoreOptions,
): TaskStore & UploadStore & ArchiveStore {
  const { audience, commits = null, onError, onWritten } = options;
  const { reader } = connections;
  const cache = connections.isExclusive ? createRecordCache() : NO_CACHE;
  const reads = createReads(reader, cache);
  const replicaChanges = connections.isExclusive
    ? publishDirectly(audience)
    : createReplicaChanges({
        audience,
        newestRevision: reads.newestRevision,
        changesAfter: readChanges(reader),
        onError,
      });
  connections.listen(replicaChanges);
  const listener = {
    committed(commit: Commit) {
      replicaChanges.committed(commit);
      onWritten?.(commit.changes);
    },
    inDoubt: replicaChanges.wake,
  };
  const proof = createWriteProof(commits);
  const queue = createWriterQueue(connections, cache, listener, proof);
  const slotClock = createSlotClock();

  return {
    ...reads,
    ...createWrites(queue),
    ...createSweeps(queue),
    ...createUploads(reader, queue),
    ...createVideoCopies(reader, queue),
    claimSubmissions: (query) =>
      queue.write({ lock: 'submissions' }, (context) => claimSubmissions(context, query, slotClock)),
    claimDue: (query) => queue.write({ lock: 'polls' }, (context) => claimDue(context, query, slotClock)),
    follow: replicaChanges.follow,
    writeLag: queue.lag,
    async ping() {
      await testRead(reader);
      await proof.prove(() => queue.write({}, ({ trx }) => testWrite(trx)));
    },
    async close() {
      await queue.drain();
      await replicaChanges.stop();
      await connections.close();
    },
  };
}

/** For the only process on a store: there are no other commits than its own. */
function publishDirectly(audience: Audience): ReplicaChanges {
  return {
    committed: ({ changes }) => {
      audience.publish(changes);
    },
    wake: () => undefined,
    rolledBack: () => undefined,
    follow: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}
