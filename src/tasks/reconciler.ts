import { failed, isProven, saved, updated, writeTask } from './change.ts';
import { concluded, type ProviderWords, type TaskFailure } from './failure.ts';
import { nextCheckTime, planner } from './schedule.ts';
import type { TaskPorts } from './ports.ts';
import { settleSubmission, submissionUnknown, type InFlight } from './submitter.ts';
import { hasEnded, isTerminal, type TaskRecord } from './task.ts';
import { isClockProven, isClockTrusted } from './time-watch.ts';
import { startWorker, type Loop } from './worker.ts';

/**
 * Whether an overdue outcome may still be stored: the call is in flight here, or the machine just resumed and another
 * process has not read its responses yet.
 */
function mayBeAnswered({ clock, timings }: TaskPorts, { id }: TaskRecord, inFlight: InFlight): boolean {
  return inFlight.has(id) || (clock.steadyFor?.() ?? Infinity) < timings.markMargin;
}

/** Polling: queries the provider for tasks whose check is due, and ends those past their deadline. */
export function startReconciler(ports: TaskPorts, inFlight: InFlight): Loop {
  const { clock, log, provider, store, timings } = ports;
  return startWorker({
    name: 'reconciler',
    clock,
    log,
    idleMs: timings.idleLook,
    claim: () =>
      store.claimDue({
        now: clock.now,
        elapsed: clock.elapsed,
        leaseMs: timings.checkLease,
        provider: provider.name,
        limitPerSecond: provider.limits.queriesPerSecond,
      }),
    work: (record) => checkTask(ports, record, mayBeAnswered(ports, record, inFlight)),
  });
}

async function checkTask(ports: TaskPorts, record: TaskRecord, isOpen: boolean): Promise<void> {
  const providerTaskId = record.providerTaskId ?? record.unverifiedProviderTaskId;
  const outcomeDueAt = outcomeDeadline(ports, record);
  // Without any id only the mark schedules a check; at start every mark is due, because no call is in flight any more.
  const isLost =
    !isOpen && outcomeDueAt !== null && (providerTaskId === null || outcomeDueAt <= ports.clock.now());
  if (isLost) {
    const reason = 'no outcome was stored in time';
    await settleSubmission(ports, record, { kind: 'unknown', reason });
  }
  if (providerTaskId !== null) return query(ports, record, providerTaskId);
  if (!isLost) return endOrReschedule(ports, record);
}

/** When the outcome of an in-flight create call must be stored; null if no call is in flight. */
function outcomeDeadline({ timings }: TaskPorts, record: TaskRecord): number | null {
  const { markedAt, refusal, state, unknownSince } = record;
  const isInFlight = state === 'SUBMITTING' && unknownSince === null && refusal === null;
  return isInFlight && markedAt !== null ? markedAt + timings.createTimeout + timings.markMargin : null;
}

async function query(ports: TaskPorts, record: TaskRecord, providerTaskId: string): Promise<void> {
  const { clock, log, provider, store } = ports;
  const answer = await provider.queryTask(providerTaskId);
  const now = clock.now();
  if (answer.kind === 'nothing') {
    log.debug({ task: record.id, providerTaskId, reason: answer.reason }, 'the query brought nothing new');
    return endOrReschedule(ports, record, { said: answer.said });
  }
  const { callbackUrl } = answer;
  if (
    record.providerTaskId === null &&
    !(await isProven(ports, record.id, { providerTaskId, callbackUrl }))
  ) {
    log.warn(
      { task: record.id, providerTaskId },
      'dropped an unverified provider id: the provider does not confirm it',
    );
    return endOrReschedule(ports, record, { wrong: providerTaskId });
  }
  if (answer.kind === 'running')
    log.warn(
      { task: record.id, providerTaskId, reason: answer.reason },
      'the provider reports no known state; the task counts as running',
    );
  // Even a response without a known state proves that the provider has the task under this id.
  const update =
    answer.kind === 'update'
      ? answer.update
      : { state: 'WAITING' as const, providerTaskId, creditsConsumed: null };
  const plan = await planner(ports, record);
  const changed = await writeTask(store, record.id, (current) => {
    const next = updated(current, update, { at: now, source: 'QUERY' }, plan);
    return saved(next && { ...next, nextCheckAt: soonest(next.nextCheckAt, current, record) });
  });
  const said = answer.kind === 'running' ? (answer.said ?? null) : null;
  if (!changed || !isTerminal(changed.state)) await endOrReschedule(ports, record, { said });
}

interface Checked {
  /** undefined without a response: then the last report stays. */
  readonly said?: ProviderWords | null | undefined;
  /** An unverified id that the provider does not confirm. */
  readonly wrong?: string;
}

/**
 * Ends the task past its deadline, or schedules its next check. Drops a `wrong` unverified id in the same write: without
 * an id, a due check declares the create response lost.
 */
async function endOrReschedule(
  ports: TaskPorts,
  checked: TaskRecord,
  { said, wrong }: Checked = {},
): Promise<void> {
  const { clock, store, timings } = ports;
  const now = clock.now();
  await writeTask(store, checked.id, (record) => {
    const reported = said === undefined ? record : { ...record, lastWords: said };
    const failure = conclusion(ports, reported, now);
    const credits = reported.lastWords?.creditsConsumed ?? null;
    const ended = failure && failed(record, failure, { at: now, source: 'GATEWAY' }, credits);
    if (ended) return { save: ended };
    // A callback requested another check meanwhile; it may be in flight already.
    if (record.version !== checked.version && record.nextCheckAt !== null && record.nextCheckAt <= now)
      return null;
    const isWrong = wrong !== undefined && record.unverifiedProviderTaskId === wrong;
    const next: TaskRecord = isWrong ? { ...reported, unverifiedProviderTaskId: null } : reported;
    const planned = nextCheckAt(next);
    return { amend: { ...next, nextCheckAt: isWrong ? planned : soonest(planned, record, checked) } };
  });

  function nextCheckAt(record: TaskRecord): number | null {
    if (hasEnded(record)) return null;
    const isKnown = record.providerTaskId !== null || record.unverifiedProviderTaskId !== null;
    const giveUpAt = record.createdAt + timings.taskDeadline;
    if (isKnown && now < giveUpAt) return Math.min(nextCheckTime(record, now, timings), giveUpAt);
    const dueAt =
      record.unknownSince === null
        ? outcomeDeadline(ports, record)
        : record.unknownSince + timings.submissionGrace;
    if (dueAt !== null && dueAt > now) return dueAt;
    // An overdue outcome may still arrive, or the clock may be wrong: check again.
    if (record.providerTaskId !== null) return nextCheckTime(record, now, timings);
    return dueAt && now + timings.checkIntervalMin;
  }
}

/** The `planned` check, or an earlier one that a callback requested while `checked` was queried. */
function soonest(planned: number | null, current: TaskRecord, checked: TaskRecord): number | null {
  const isRequested = current.version !== checked.version && current.nextCheckAt !== null;
  return isRequested && planned !== null ? Math.min(planned, current.nextCheckAt) : planned;
}

/** The failure of a task past its deadline; null before that, or if the clock cannot be trusted. */
function conclusion(ports: TaskPorts, record: TaskRecord, now: number): TaskFailure | null {
  if (!isClockTrusted(ports)) return null;
  const { submissionGrace, taskDeadline } = ports.timings;
  if (record.unknownSince !== null && now >= record.unknownSince + submissionGrace)
    return submissionUnknown('and no callback arrived', record.lastWords);
  const isOverdue = record.providerTaskId !== null && now >= record.createdAt + taskDeadline;
  if (!isOverdue || !isClockProven(ports, taskDeadline)) return null;
  const message =
    'The provider reported no final state in time. The video may still arrive and may have been charged. ' +
    'Check https://kie.ai/logs before you retry.';
  return concluded(record.lastWords, { code: 'EXPIRED', message });
}
