import { amendTask, changeTask, updated, belongsToAnother } from './change.ts';
import type { TaskPorts } from './ports.ts';
import type { ProviderWords } from './failure.ts';
import type { QueryAnswer } from './provider.ts';
import { planner } from './schedule.ts';
import { hasEnded, type TaskRecord } from './task.ts';
import { createThrottle } from './worker.ts';

/** What a callback claims about a task. Whoever sent it knew the task's token. */
interface CallbackReport {
  readonly taskId: string;
  readonly providerTaskId: string;
  readonly answer: QueryAnswer;
  /** The callback address that its body shows; null when it shows none. */
  readonly callbackUrl: string | null;
}

/** Whether a callback carries a right signature, a wrong one (or none), or nobody knows a key to tell. */
export type Signature = 'right' | 'wrong' | 'unknown';

/**
 * What became of a callback.
 * - applied: the task was changed by it.
 * - noted: it says nothing new, or it was taken as a reason to ask the provider.
 * - unknown-task: there is no such task.
 * - conflict: the provider id that it names is not this task's.
 */
type CallbackReceipt = 'applied' | 'noted' | 'unknown-task' | 'conflict';

/** What the provider's callbacks can do once their token was right. Both reject when the store cannot be reached. */
export interface Callbacks {
  /** Applies a signed report at once; any other one is only a reason to ask the provider, once in a while. */
  receive(report: CallbackReport, signature: Signature): Promise<CallbackReceipt>;
  /** After a callback that could not be read: has the provider asked about the task, once in a while. */
  askSoon(taskId: string): Promise<void>;
}

/** `onAsk` is called when the next check of a task was brought forward. */
export function createCallbacks(ports: TaskPorts, onAsk: () => void): Callbacks {
  const { clock, log, store, timings } = ports;
  const throttle = createThrottle(clock, timings.bringForwardEvery);

  async function receive(report: CallbackReport, signature: Signature): Promise<CallbackReceipt> {
    const known = await recognise(ports, report);
    if (typeof known === 'string') return known;
    if (signature === 'right') return apply(report, known);
    await ask(report.taskId, report.providerTaskId);
    return 'noted';
  }

  // The signature proves that kie.ai called back for this id within minutes, the token that the sender knows this task's
  // URL, which only kie.ai was told: together they prove the pair, unless the body itself shows another URL.
  async function apply(report: CallbackReport, known: TaskRecord): Promise<CallbackReceipt> {
    const { answer, providerTaskId, taskId } = report;
    const heard = { at: clock.now(), source: 'CALLBACK' } as const;
    // Even a report that says nothing usable proves that the provider has the task under this id.
    const update =
      answer.kind === 'update'
        ? answer.update
        : { state: 'WAITING' as const, providerTaskId, creditsConsumed: null };
    const plan = await planner(ports);
    const changed = await changeTask(store, taskId, (record) => updated(record, update, heard, plan), known);
    if (answer.kind !== 'update') {
      const { reason } = answer;
      log.warn({ task: taskId, reason }, 'a callback said nothing usable; the provider is asked');
      await ask(taskId, providerTaskId, answer.said);
    }
    return changed ? 'applied' : 'noted';
  }

  /** Brings the next check forward, to be made about the `named` id where the task has none of its own. */
  async function ask(taskId: string, named: string | null, said?: ProviderWords): Promise<void> {
    const wait = throttle.reserve(taskId);
    try {
      const amended = await amendTask(store, taskId, (record) =>
        broughtForward(said ? { ...record, lastWords: said } : record, named, { now: clock.now(), wait }),
      );
      if (amended) onAsk();
    } catch (error) {
      throttle.giveBack(taskId);
      throw error;
    }
  }

  return { receive, askSoon: (taskId) => ask(taskId, null) };
}

function broughtForward(
  record: TaskRecord,
  named: string | null,
  { now, wait }: { readonly now: number; readonly wait: number },
): TaskRecord | null {
  if (hasEnded(record) || record.refusal) return null;
  const { nextCheckAt, providerTaskId } = record;
  const unverifiedProviderTaskId = providerTaskId === null ? (named ?? record.unverifiedProviderTaskId) : null;
  // Without any id there is nothing to ask about, and a check that is due would mean that the create answer is lost.
  if (providerTaskId === null && unverifiedProviderTaskId === null) return null;
  const at = Math.ceil(now + wait);
  const isNews = unverifiedProviderTaskId !== record.unverifiedProviderTaskId;
  const isPutOff = wait > 0;
  // A check that is due may be under way, and its answer older than this callback: it does not count as planned.
  const planned = isPutOff && nextCheckAt !== null && nextCheckAt <= now ? null : nextCheckAt;
  if (isPutOff && !isNews && planned !== null && planned <= at) return null;
  return {
    ...record,
    unverifiedProviderTaskId: unverifiedProviderTaskId,
    nextCheckAt: Math.min(at, planned ?? at),
  };
}

/** The task that a report is about, or why it is about none of ours. */
async function recognise(
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
