import { withCopy } from '../tasks/copies.ts';
import { startLoop, type Loop } from '../tasks/worker.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { TaskStore } from '../tasks/store.ts';
import { isClockProven } from '../tasks/time-watch.ts';
import type { ArchiveStore, StoredCopy } from './archive-store.ts';
import type { VideoStorage } from './storage.ts';
import type { ArchiveTimings } from './timings.ts';

interface UpkeepOptions {
  readonly store: ArchiveStore & TaskStore;
  readonly storage: VideoStorage;
  /** How long copies are kept, in ms; null for ever. */
  readonly keepMs: number | null;
  /** Bytes of all objects; above it, the oldest copies are deleted. null for no limit. */
  readonly maxBytes: number | null;
  readonly timings: Pick<ArchiveTimings, 'look'>;
}

/** Copies per round: rounds follow each other while there is more to do. */
const BATCH = 100;

/** Deletes copies that are too old, the oldest ones when all take too much room, and those of deleted tasks. */
export function startArchiveUpkeep(ports: TaskPorts, options: UpkeepOptions): Loop {
  const { keepMs, maxBytes, store, timings } = options;
  const { clock, log } = ports;

  return startLoop({
    clock,
    retryMs: timings.look,
    onError: (error) => {
      log.error({ err: error }, 'deleting copies of videos failed; retrying later');
    },
    round: async () => {
      const now = clock.now();
      // With a clock that is far ahead every copy looks old.
      const old =
        keepMs !== null && isClockProven(ports) ? await store.oldestCopies(now - keepMs, BATCH) : [];
      const surplus = old.length === 0 && maxBytes !== null ? await surplusCopies(maxBytes) : [];
      for (const copy of [...old, ...surplus]) await drop(copy);
      const deleted = await deleteDoomed(options);
      if (deleted > 0) log.info({ copies: deleted }, 'deleted copies of videos');
      return old.length + surplus.length + deleted > 0 ? 0 : timings.look;
    },
  });

  async function surplusCopies(limit: number): Promise<readonly StoredCopy[]> {
    let surplus = (await store.storedBytes()) - limit;
    const copies = surplus > 0 ? await store.oldestCopies(Number.MAX_SAFE_INTEGER, BATCH) : [];
    return copies.filter(({ bytes }) => {
      const isSurplus = surplus > 0;
      surplus -= bytes;
      return isSurplus;
    });
  }

  async function drop(copy: StoredCopy): Promise<void> {
    const { place, taskId } = copy;
    for (;;) {
      const task = await store.get(taskId);
      const stored = task?.videos[place]?.copy;
      // A gateway of version 0.1.0 has deleted the task.
      if (!task || stored?.state !== 'STORED') return store.doomCopy(copy);
      const next = withCopy(task, place, { ...stored, state: 'DELETED' }, clock.now());
      if (await store.dropCopy(next, place)) return;
    }
  }
}

/** Deletes the objects of copies that are to be deleted, unless other copies share them. Returns the number of copies. */
async function deleteDoomed({ storage, store }: UpkeepOptions): Promise<number> {
  const doomed = await store.doomedCopies(BATCH);
  for (const copy of doomed) {
    if (!copy.isShared) await storage.delete(copy.object);
    await store.forgetCopy(copy);
  }
  return doomed.length;
}
