import { applyUpdate, type Origin, type TaskUpdate } from './apply-update.ts';
import type { Schedule } from './schedule.ts';
import type { TaskStore } from './store.ts';
import { type VisibleRecord, type TaskRecord, takenAt } from './task.ts';
import type { TaskPorts } from './ports.ts';

/**
 * Reads a task, lets `decide` make its next record, and writes that with a new revision; begins anew when somebody
 * else wrote in between. `decide` returns null to leave the task as it is. Returns the written record, or null when
 * there is no such task or nothing was to be written. A record that was `known` before is not read first.
 */
export async function changeTask(
  store: TaskStore,
  id: string,
  decide: (record: TaskRecord) => TaskRecord | null,
  known: TaskRecord | null = null,
): Promise<VisibleRecord | null> {
  return compareAndSet(store, id, decide, (next) => store.save(next), known);
}

/** The same for what no reader sees: takes no revision and tells nobody. */
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
 * What an update makes of a record, bookkeeping included; null when it says nothing new or the task was refused. An update
 * that ends it needs no plan.
 */
export function updated(
  record: TaskRecord,
  update: TaskUpdate,
  heard: Origin,
  plan: ((record: TaskRecord) => Schedule) | null,
): TaskRecord | null {
  if (record.refusal) return null;
  const next = applyUpdate(record, update, heard);
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

/** When the video may be there: so long after the provider took the task as others took. */
function expectedAt({ expectedAt: before, timeline }: TaskRecord, { duration }: Schedule): number | null {
  const since = takenAt(timeline);
  return duration === null || since === null ? before : since + duration;
}

/** A provider id that is said to be a task's, and the callback address that the provider shows with it, if any. */
interface Claimed {
  readonly providerTaskId: string;
  readonly callbackUrl: string | null;
}

/** Whether it is certain that the id is not this task's: another task has it, or it calls back for another one. */
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
 * Whether an id that nobody signed is this task's: the provider shows this task's callback address with it. Tasks without a
 * callback address get their ids from create answers alone, which need no further proof.
 */
export async function isProven(
  ports: Pick<TaskPorts, 'callbackAddress' | 'store'>,
  taskId: string,
  claimed: Claimed,
): Promise<boolean> {
  const isShown = claimed.callbackUrl !== null || ports.callbackAddress.urlFor(taskId) === null;
  return isShown && !(await belongsToAnother(ports, taskId, claimed));
}
