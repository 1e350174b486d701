import { describe, expect, it } from 'vitest';
import { createKeptRecords } from '../../src/store/kept-records.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { deferred } from '../support/deferred.ts';
import { hiddenTask } from './records.ts';

const RECORD = hiddenTask();
const never = (): Promise<never> => Promise.reject(new Error('it is kept and need not be read'));

describe('records that are kept', () => {
  it('are read once', async () => {
    const kept = createKeptRecords();
    expect(await kept.read(RECORD.id, () => Promise.resolve(RECORD))).toBe(RECORD);
    expect(await kept.read(RECORD.id, never)).toBe(RECORD);
  });

  it('are what was committed last', async () => {
    const kept = createKeptRecords();
    const next = { ...RECORD, version: RECORD.version + 1, submitAt: 1 };
    kept.committed([RECORD]);
    kept.committed([next]);
    expect(await kept.read(RECORD.id, never)).toBe(next);
  });

  it('are not what a read saw that a commit overtook', async () => {
    const kept = createKeptRecords();
    const slow = deferred<TaskRecord | null>();
    const reading = kept.read(RECORD.id, () => slow.promise);
    kept.committed([]);
    slow.resolve(RECORD);
    expect(await reading).toBe(RECORD);
    const newer = { ...RECORD, version: RECORD.version + 1 };
    expect(await kept.read(RECORD.id, () => Promise.resolve(newer))).toBe(newer);
  });

  it('are forgotten when something was written that nobody saw', async () => {
    const kept = createKeptRecords();
    kept.committed([RECORD]);
    kept.forget();
    const newer = { ...RECORD, version: RECORD.version + 1 };
    expect(await kept.read(RECORD.id, () => Promise.resolve(newer))).toBe(newer);
  });

  it('are some thousand at most, those that were needed last', async () => {
    const kept = createKeptRecords();
    const many = Array.from({ length: 5000 }, (_, number) => hiddenTask({ id: `task-${number}` }));
    kept.committed(many);
    expect(await kept.read('task-4999', never)).toBe(many.at(-1));
    expect(await kept.read('task-0', () => Promise.resolve(null))).toBeNull();
  });
});
