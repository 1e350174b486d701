import { belongsToAnother, saved, updated, writeTask } from './change.ts';
import type { Clock } from './clock.ts';
import type { TaskPorts } from './ports.ts';
import type { ProviderWords } from './failure.ts';
import type { QueryAnswer, Signature } from './provider.ts';
import { planner } from './schedule.ts';
import { hasEnded, type TaskRecord } from './task.ts';

/** A parsed callback whose token was valid. */
interface CallbackReport {
  readonly taskId: string;
  readonly providerTaskId: string;
  readonly answer: QueryAnswer;
  /** The callback URL in the body; null if there is none. */
  readonly callbackUrl: string | null;
}

/**
 * The result of a callback.
 * - applied: it changed the task.
 * - noted: it contains nothing new, or it caused a query.
 * - unknown-task: the task does not exist.
 * - conflict: it names the id of another provider task.
 */
type CallbackReceipt = 'applied' | 'noted' | 'unknown-task' | 'conflict';

/** For callbacks with a valid token. Both methods reject if the store is unavailable. */
export interface Callbacks {
  /** Applies a signed report at once. An unsigned one only causes a query, with a rate limit per task. */
  receive(report: CallbackReport, signature: Signature): Promise<CallbackReceipt>;
  /** For a callback that cannot be parsed: queries the task soon, with a rate limit per task. */
  querySoon(taskId: string): Promise<void>;
}

/** `onQueryDue` is called when the next query of a task was moved up. */
export function createCallbacks(ports: TaskPorts, onQueryDue: () => void): Callbacks {
  const { clock, log, store, timings } = ports;
  const throttle = createThrottle(clock, timings.bringForwardEvery);

  async function receive(report: CallbackReport, signature: Signature): Promise<CallbackReceipt> {
    const known = await taskOf(ports, report);
    if (typeof known === 'string') return known;
    if (signature === 'right') return apply(report, known);
    await query(report.taskId, report.providerTaskId);
    return 'noted';
  }

  // The signature covers the provider id, and the token covers our id: together they prove that both belong together,
  // unless the body names another callback URL.
  async function apply(report: CallbackReport, known: TaskRecord): Promise<CallbackReceipt> {
    const { answer, providerTaskId, taskId } = report;
    const origin = { at: clock.now(), source: 'CALLBACK' } as const;
    // Even an unusable report proves that the provider has the task under this id.
    const update =
      answer.kind === 'update'
        ? answer.update
        : { state: 'WAITING' as const, providerTaskId, creditsConsumed: null };
    const plan = await planner(ports, known);
    const decide = (record: TaskRecord) => saved(updated(record, update, origin, plan));
    const changed = await writeTask(store, taskId, decide, known);
    if (answer.kind !== 'update') {
      const { reason } = answer;
      log.warn({ task: taskId, reason }, 'a callback reports no usable state; querying the provider');
      await query(taskId, providerTaskId, answer.said);
    }
    return changed ? 'applied' : 'noted';
  }

  /** Moves the next query up. A task without a provider id is queried by the `named` one. */
  async function query(taskId: string, named: string | null, said?: ProviderWords): Promise<void> {
    const wait = throttle.reserve(taskId);
    try {
      const amended = await writeTask(store, taskId, (record) => {
        const reported = said ? { ...record, lastWords: said } : record;
        const next = withEarlierCheck(reported, named, { now: clock.now(), wait });
        return next && { amend: next };
      });
      if (amended) onQueryDue();
    } catch (error) {
      throttle.giveBack(taskId);
      throw error;
    }
  }

  return { receive, querySoon: (taskId) => query(taskId, null) };
}

function withEarlierCheck(
  record: TaskRecord,
  named: string | null,
  { now, wait }: { readonly now: number; readonly wait: number },
): TaskRecord | null {
  if (hasEnded(record) || record.refusal) return null;
  const { checkLeaseUntil, nextCheckAt, providerTaskId } = record;
  const unverifiedId = providerTaskId === null ? (named ?? record.unverifiedProviderTaskId) : null;
  // Without any id there is nothing to query, and a due check would declare the create response lost.
  if (providerTaskId === null && unverifiedId === null) return null;
  const at = Math.ceil(now + wait);
  const isNews = unverifiedId !== record.unverifiedProviderTaskId;
  const isDelayed = wait > 0;
  // The response to a query in flight may be older than this callback. One that still waits for the rate limit stays due.
  const isInFlight = checkLeaseUntil !== null && checkLeaseUntil > now;
  const planned = isDelayed && isInFlight ? null : nextCheckAt;
  if (isDelayed && !isNews && planned !== null && planned <= at) return null;
  return {
    ...record,
    unverifiedProviderTaskId: unverifiedId,
    nextCheckAt: Math.min(at, planned ?? at),
  };
}

/** The task of a report, or why the report is rejected. */
async function taskOf(
  ports: TaskPorts,
  { callbackUrl, providerTaskId, taskId }: CallbackReport,
): Promise<TaskRecord | 'unknown-task' | 'conflict'> {
  const record = await ports.store.get(taskId);
  if (!record || record.refusal) return 'unknown-task';
  const isOther =
    record.providerTaskId === null
      ? await belongsToAnother(ports, taskId, { providerTaskId, callbackUrl })
      : record.providerTaskId !== providerTaskId;
  return isOther ? 'conflict' : record;
}

/** At most one event per key and interval: early events are delayed to the same time. */
function createThrottle(clock: Clock, everyMs: number) {
  /** Time of the last or next event per key, in order of the last reservation. */
  const events = new Map<string, number>();
  const now = clock.elapsed ?? clock.now;

  return {
    /** Returns the ms until the event may happen. */
    reserve(key: string): number {
      for (const [old, at] of events) {
        if (now() - at < everyMs) break;
        events.delete(old);
      }
      const before = events.get(key) ?? -Infinity;
      const at = before > now() ? before : Math.max(now(), before + everyMs);
      events.delete(key);
      events.set(key, at);
      return at - now();
    },
    /** Cancels the last reservation. */
    giveBack: (key: string) => events.delete(key),
  };
}
