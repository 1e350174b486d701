import { randomUUID } from 'node:crypto';
import type { TaskStore } from '../../src/tasks/store.ts';
import { MODEL, type VisibleRecord, type TaskRecord } from '../../src/tasks/task.ts';

/** The owner of everything in a gateway without keys. */
export const OWNER = 'anonymous';

/** A task as the store keeps it once the provider has taken it: nothing of ours works on it by itself. */
export function waitingRecord(fields: Partial<TaskRecord> = {}): TaskRecord {
  const id = randomUUID();
  return {
    id,
    owner: OWNER,
    prompt: 'slow push-in, snow falling',
    imageUrl: 'https://files.example/first.png',
    endImageUrl: null,
    promptOptimizer: null,
    idempotencyKey: null,
    inputHash: 'hash',
    state: 'WAITING',
    model: MODEL,
    videos: [],
    failure: null,
    providerTaskId: `kie-${id}`,
    creditsConsumed: null,
    revision: null,
    createdAt: Date.now(),
    updatedAt: Date.now(),
    completedAt: null,
    expectedAt: null,
    timeline: [{ state: 'WAITING', at: Date.now(), source: 'CREATE_ANSWER' }],
    submitLeaseBy: null,
    submitLeaseUntil: null,
    submitAt: 0,
    notNowCount: 0,
    notNowSince: null,
    markedAt: 1,
    unknownSince: null,
    refusal: null,
    unverifiedProviderTaskId: null,
    lastWords: null,
    nextCheckAt: null,
    version: 0,
    ...fields,
  };
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
