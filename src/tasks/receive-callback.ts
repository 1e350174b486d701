import { amendTask, changeTask, updated } from './change-task.ts';
import type { TaskPorts } from './ports.ts';
import type { ProviderWords, QueryAnswer } from './provider.ts';
import { planner } from './schedule.ts';
import { hasEnded, type TaskRecord } from './task.ts';

/** What a callback claims about a task. */
export interface CallbackReport {
  readonly taskId: string;
  readonly providerTaskId: string;
  readonly answer: QueryAnswer;
}

/**
 * What became of a callback.
 * - applied: the task was changed by it.
 * - noted: it says nothing new, or it was taken as a reason to ask the provider.
 * - unknown-task: there is no such task.
 * - conflict: the task belongs to another provider id.
 */
export type CallbackReceipt = 'applied' | 'noted' | 'unknown-task' | 'conflict';

/**
 * Takes a report whose token and signature are right: it is the provider's word, and applied at once. `recognised` is what
 * `recognise` has just said of it.
 */
export async function takeSignedReport(
  ports: TaskPorts,
  report: CallbackReport,
  recognised?: Recognised,
): Promise<CallbackReceipt> {
  const { clock, log, store } = ports;
  const heard = { at: clock.now(), source: 'CALLBACK' } as const;
  const known = recognised ?? (await recognise(ports, report));
  if (typeof known === 'string') return known;
  const { answer, providerTaskId, taskId } = report;

  // Even a report that says nothing usable proves that the provider has the task under this id.
  const update =
    answer.kind === 'update'
      ? answer.update
      : { state: 'WAITING' as const, providerTaskId, creditsConsumed: null };
  const plan = await planner(ports);
  const changed = await changeTask(store, taskId, (record) => updated(record, update, heard, plan), known);
  if (answer.kind !== 'update') {
    log.warn(
      { task: taskId, reason: answer.reason },
      'a callback said nothing usable; the provider is asked',
    );
    await askAbout(ports, taskId, providerTaskId, answer.said);
  }
  return changed ? 'applied' : 'noted';
}

/** Takes a report that nobody signed: not believed, but a reason to ask the provider now. */
export async function takeUnsignedReport(
  ports: TaskPorts,
  { providerTaskId, taskId }: Omit<CallbackReport, 'answer'>,
): Promise<CallbackReceipt> {
  const known = await recognise(ports, { providerTaskId, taskId });
  if (typeof known === 'string') return known;
  await askAbout(ports, taskId, providerTaskId);
  return 'noted';
}

/** Has the provider asked now, about the id that was named where we have none yet. */
async function askAbout(
  { clock, store }: TaskPorts,
  taskId: string,
  providerTaskId: string,
  said?: ProviderWords,
): Promise<void> {
  await amendTask(store, taskId, (record) =>
    hasEnded(record)
      ? null
      : {
          ...record,
          candidateProviderTaskId: record.providerTaskId === null ? providerTaskId : null,
          lastWords: said ?? record.lastWords,
          nextCheckAt: clock.now(),
        },
  );
}

/** The task that a report is about, or why it is about none of ours. */
export type Recognised = TaskRecord | 'unknown-task' | 'conflict';

/** Reads it. */
export async function recognise(
  { store }: TaskPorts,
  { providerTaskId, taskId }: Omit<CallbackReport, 'answer'>,
): Promise<Recognised> {
  const record = await store.get(taskId);
  if (!record || record.refusal) return 'unknown-task';
  const isOther = record.providerTaskId !== null && record.providerTaskId !== providerTaskId;
  return isOther ? 'conflict' : record;
}
