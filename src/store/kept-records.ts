import type { TaskRecord } from '../tasks/task.ts';

/** How many records are kept at most; each is a few kilobytes. */
const MAX_RECORDS = 4096;

/** Records in memory, as they stand in the store. */
export interface KeptRecords {
  /** The record that is kept; else what `read` reads, which is kept from now on unless something was committed meanwhile. */
  read(id: string, read: () => Promise<TaskRecord | null>): Promise<TaskRecord | null>;
  /** What a commit wrote, before anybody is told of it. */
  committed(written: readonly TaskRecord[]): void;
  /** Something was written, or may have been, that nobody can say the records of. */
  forget(): void;
}

/** For the only process that writes: the tasks that it wrote or read last. */
export function createKeptRecords(): KeptRecords {
  const records = new Map<string, TaskRecord>();
  let commits = 0;

  function keep(record: TaskRecord): void {
    // The last one in a map is the one that was put last; the first one was not needed for longest.
    records.delete(record.id);
    records.set(record.id, record);
    if (records.size > MAX_RECORDS) records.delete(records.keys().next().value ?? '');
  }

  return {
    async read(id, read) {
      const known = records.get(id);
      if (known) {
        keep(known);
        return known;
      }
      const before = commits;
      const record = await read();
      if (record && commits === before) keep(record);
      return record;
    },
    committed(written) {
      commits += 1;
      for (const record of written) {
        const before = records.get(record.id);
        if (record.version === 0 || (before && isSameWish(before, record))) keep(record);
        // The store has not taken over what may not change.
        else records.delete(record.id);
      }
    },
    forget() {
      commits += 1;
      records.clear();
    },
  };
}

/** What no write changes in the store. */
function isSameWish(before: TaskRecord, after: TaskRecord): boolean {
  return (
    before.owner === after.owner &&
    before.model === after.model &&
    before.prompt === after.prompt &&
    before.imageUrl === after.imageUrl &&
    before.endImageUrl === after.endImageUrl &&
    before.promptOptimizer === after.promptOptimizer &&
    before.createdAt === after.createdAt &&
    before.inputHash === after.inputHash
  );
}

/** Where other processes write as well, nothing is known but what is read. */
export const NOTHING_KEPT: KeptRecords = {
  read: (_id, read) => read(),
  committed: () => undefined,
  forget: () => undefined,
};
