import { applyUpdate, type Origin, type TaskUpdate } from './apply-update.ts';
import type { Schedule } from './schedule.ts';
import type { TaskStore } from './store.ts';
import { type VisibleRecord, type TaskRecord, takenAt } from './task.ts';
import type { TaskPorts } from './ports.ts';

/**
 * Compare and set: reads a task, writes what `decide` returns with a new revision, and starts again after a concurrent write.
 * Returns null if the task does not exist or `decide` returns null. A `known` record saves the first read.
 */
export async function changeTask(
  store: TaskStore,
  id: string,
  decide: (record: TaskRecord) => TaskRecord | null,
  known: TaskRecord | null = null,
): Promise<VisibleRecord | null> {
  return compareAndSet(store, id, decide, (next) => store.save(next), known);
}

/** Like `changeTask`, for fields that no client sees: takes no revision and publishes nothing. */
export async function amendTask(
  store: TaskStore,
  id: string,
  decide: (record: TaskRecord) => TaskRecord | null,
): Promise<TaskRecord | null> {
  return compareAndSet(store, id, decide, (next) => store.amend(next));
}

async function compareAndSet<T>(
  store: TaskStore,
  id: string,
  decide: (record: TaskRecord) => TaskRecord | null,
  write: (next: TaskRecord) => Promise<T | null>,
  known: TaskRecord | null = null,
): Promise<T | null> {
  let record = known ?? (await store.get(id));
  for (;;) {
    const next = record && decide(record);
    if (!next) return null;
    const written = await write(next);
    if (written) return written;
    record = await store.get(id);
  }
}

/**
 * `applyUpdate` for a record, with its next query; null if the update is not new or the task was refused. An update to a
 * final state needs no plan.
 */
export function updated(
  record: TaskRecord,
  update: TaskUpdate,
  origin: Origin,
  plan: ((record: TaskRecord) => Schedule) | null,
): TaskRecord | null {
  if (record.refusal) return null;
  const next = applyUpdate(record, update, origin);
  if (!next) return null;
  const schedule = next.completedAt === null ? plan?.(record) : null;
  return {
    ...next,
    unknownSince: null,
    unverifiedProviderTaskId: null,
    expectedAt: schedule ? expectedAt(next, schedule) : null,
    nextCheckAt: schedule?.nextCheckAt ?? null,
  };
}

/** Expected completion: the time of acceptance plus the recent median duration. */
function expectedAt({ expectedAt: before, timeline }: TaskRecord, { duration }: Schedule): number | null {
  const since = takenAt(timeline);
  return duration === null || since === null ? before : since + duration;
}

/** An unverified provider id, and the callback URL that the provider reports with it. */
interface Claimed {
  readonly providerTaskId: string;
  readonly callbackUrl: string | null;
}

/** Whether the id certainly belongs to another task: that task has it, or the callback URL is not this task's. */
export async function belongsToAnother(
  { callbackAddress, store }: Pick<TaskPorts, 'callbackAddress' | 'store'>,
  taskId: string,
  { callbackUrl, providerTaskId }: Claimed,
): Promise<boolean> {
  if (callbackUrl !== null && !callbackAddress.matches(taskId, callbackUrl)) return true;
  const holder = await store.holderOf(providerTaskId);
  return holder !== null && holder !== taskId;
}

/**
 * Whether an unverified id is this task's: the provider reports this task's callback URL with it. Tasks without a callback
 * URL get ids only from create responses, which need no further proof.
 */
export async function isProven(
  ports: Pick<TaskPorts, 'callbackAddress' | 'store'>,
  taskId: string,
  claimed: Claimed,
): Promise<boolean> {
  const isShown = claimed.callbackUrl !== null || ports.callbackAddress.urlFor(taskId) === null;
  return isShown && !(await belongsToAnother(ports, taskId, claimed));
}
