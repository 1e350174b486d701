import { describe, expect, it } from 'vitest';
import { createRecordCache } from '../../src/store/record-cache.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { deferred } from '../kit/waits.ts';
import { hiddenTask } from './records.ts';

const RECORD = hiddenTask();
const never = (): Promise<never> => Promise.reject(new Error('a cached record was read'));

describe('the record cache', () => {
  it('reads a record once', async () => {
    const cache = createRecordCache();
    expect(await cache.get(RECORD.id, () => Promise.resolve(RECORD))).toBe(RECORD);
    expect(await cache.get(RECORD.id, never)).toBe(RECORD);
  });

  it('returns the newest committed record', async () => {
    const cache = createRecordCache();
    const next = { ...RECORD, version: RECORD.version + 1, submitAt: 1 };
    cache.committed([RECORD]);
    cache.committed([next]);
    expect(await cache.get(RECORD.id, never)).toBe(next);
  });

  it('does not keep a record that was read before a commit', async () => {
    const cache = createRecordCache();
    const slow = deferred<TaskRecord | null>();
    const reading = cache.get(RECORD.id, () => slow.promise);
    cache.committed([]);
    slow.resolve(RECORD);
    expect(await reading).toBe(RECORD);
    const newer = { ...RECORD, version: RECORD.version + 1 };
    expect(await cache.get(RECORD.id, () => Promise.resolve(newer))).toBe(newer);
  });

  it('reads again after a write that reported no records', async () => {
    const cache = createRecordCache();
    cache.committed([RECORD]);
    cache.clear();
    const newer = { ...RECORD, version: RECORD.version + 1 };
    expect(await cache.get(RECORD.id, () => Promise.resolve(newer))).toBe(newer);
  });

  it('keeps the records that were used last, up to its limit', async () => {
    const cache = createRecordCache();
    const many = Array.from({ length: 5000 }, (_, number) => hiddenTask({ id: `task-${number}` }));
    cache.committed(many);
    expect(await cache.get('task-4999', never)).toBe(many.at(-1));
    expect(await cache.get('task-0', () => Promise.resolve(null))).toBeNull();
  });
});
