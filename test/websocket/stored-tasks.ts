import { randomUUID } from 'node:crypto';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord, TaskRecord } from '../../src/tasks/task.ts';
import { hiddenTask } from '../store/records.ts';

/** The owner of everything in a gateway without keys. */
export const OWNER = 'anonymous';

/** A task as the store keeps it once the provider has taken it: nothing of ours works on it by itself. */
export function waitingRecord(fields: Partial<TaskRecord> = {}): TaskRecord {
  const id = randomUUID();
  const now = Date.now();
  return hiddenTask({
    id,
    owner: OWNER,
    state: 'WAITING',
    providerTaskId: `kie-${id}`,
    createdAt: now,
    updatedAt: now,
    timeline: [{ state: 'WAITING', at: now, source: 'CREATE_ANSWER' }],
    submitLeaseBy: null,
    submitLeaseUntil: null,
    submitAt: 0,
    markedAt: 1,
    ...fields,
  });
}

/** Adds a task and announces it, with a revision of its own. */
export async function addTask(store: TaskStore, fields: Partial<TaskRecord> = {}): Promise<VisibleRecord> {
  return change(store, await store.insert(waitingRecord(fields)));
}

/** Writes a task with a new revision, and says so to the feed: a change as cheap as they come. */
export async function change(
  store: TaskStore,
  record: TaskRecord,
  fields: Partial<TaskRecord> = {},
): Promise<VisibleRecord> {
  const saved = await store.save({ ...record, ...fields });
  if (!saved) throw new Error(`task ${record.id} was written by somebody else`);
  return saved;
}
