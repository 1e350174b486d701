import { LRUCache } from 'lru-cache';
import type { TaskRecord } from '../tasks/task.ts';

/** A record takes a few kilobytes. */
const MAX_RECORDS = 4096;

/** Records in memory, as they are stored. */
export interface RecordCache {
  /** Returns the cached record. Otherwise calls `read` and caches its result, unless a commit happened meanwhile. */
  get(id: string, read: () => Promise<TaskRecord | null>): Promise<TaskRecord | null>;
  /** Updates the cache after a commit, before its changes are published. */
  committed(written: readonly TaskRecord[]): void;
  /** Call it after a write changed, or may have changed, records that it does not report. */
  clear(): void;
}

/** Keeps recently used records. Only for the only process on a store. */
export function createRecordCache(): RecordCache {
  const records = new LRUCache<string, TaskRecord>({ max: MAX_RECORDS });
  let commits = 0;

  return {
    async get(id, read) {
      const cached = records.get(id);
      if (cached) return cached;
      const before = commits;
      const record = await read();
      if (record && commits === before) records.set(id, record);
      return record;
    },
    committed(written) {
      commits += 1;
      for (const record of written) {
        const before = records.get(record.id);
        if (record.version === 0 || (before && hasSameInput(before, record))) records.set(record.id, record);
        // An update writes only the mutable columns, so this record may differ from its row.
        else records.delete(record.id);
      }
    },
    clear() {
      commits += 1;
      records.clear();
    },
  };
}

/** The fields that no update writes. */
const INPUT = [
  'owner',
  'model',
  'prompt',
  'imageUrl',
  'endImageUrl',
  'promptOptimizer',
  'provider',
  'createdAt',
  'inputHash',
] as const;

function hasSameInput(before: TaskRecord, after: TaskRecord): boolean {
  const { options } = after;
  return (
    INPUT.every((field) => before[field] === after[field]) &&
    // Options read from the store are other objects.
    (before.options === options || JSON.stringify(before.options) === JSON.stringify(options))
  );
}

/** For stores with other writers. */
export const NO_CACHE: RecordCache = {
  get: (_id, read) => read(),
  committed: () => undefined,
  clear: () => undefined,
};
