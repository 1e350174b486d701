import { applyUpdate, type Origin, type TaskUpdate } from './apply-update.ts';
import type { TaskFailure } from './failure.ts';
import type { Schedule } from './schedule.ts';
import type { TaskStore } from './store.ts';
import { type TaskRecord, takenAt } from './task.ts';
import type { TaskPorts } from './ports.ts';

/** What to write: a change with a new revision that clients see, or fields that no client sees. */
export type Decision = { readonly save: TaskRecord } | { readonly amend: TaskRecord } | null;

/**
 * Compare and set: reads a task, writes what `decide` returns, and starts again after a concurrent write. Returns null if
 * the task does not exist or `decide` returns null. A `known` record saves the first read.
 */
export async function writeTask(
  store: TaskStore,
  id: string,
  decide: (record: TaskRecord) => Decision,
  known: TaskRecord | null = null,
): Promise<TaskRecord | null> {
  let record = known ?? (await store.get(id));
  for (;;) {
    const decision = record && decide(record);
    if (!decision) return null;
    const written = await ('save' in decision ? store.save(decision.save) : store.amend(decision.amend));
    if (written) return written;
    record = await store.get(id);
  }
}

/** A change that clients see; null for no change. */
export function saved(next: TaskRecord | null): Decision {
  return next && { save: next };
}

/** The record after a failure that the gateway concludes, or that the answer to the create call reports. */
export function failed(
  record: TaskRecord,
  failure: TaskFailure,
  origin: Origin,
  creditsConsumed: number | null = null,
): TaskRecord | null {
  return updated(record, { state: 'FAIL', failure, providerTaskId: null, creditsConsumed }, origin, null);
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
    // Copies of videos are made in the order in which they became due, retries included.
    archiveAt: next.state === 'SUCCESS' ? next.completedAt : next.archiveAt,
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
