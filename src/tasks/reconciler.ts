import type { TaskUpdate } from './apply-update.ts';
import { amendTask, changeTask, updated, isProven } from './change.ts';
import { concluded, type ProviderWords } from './failure.ts';
import { nextCheckTime, planner } from './schedule.ts';
import type { TaskPorts } from './ports.ts';
import { settleSubmission, submissionUnknown, type InFlight } from './submitter.ts';
import { hasEnded, isTerminal, type TaskRecord } from './task.ts';
import { isClockTrusted } from './time-watch.ts';
import { startWorker, type Worker } from './worker.ts';

/**
 * Whether the outcome of a create call may still be stored although its time is over: the call is in flight here, or the
 * processes of a machine have just woken, and another one of them has not read its answers yet.
 */
function mayBeAnswered({ clock, timings }: TaskPorts, { id }: TaskRecord, inFlight: InFlight): boolean {
  return inFlight.has(id) || (clock.steadyFor?.() ?? Infinity) < timings.markMargin;
}

/** Finds out what nobody tells: asks the provider about tasks whose check is due, and ends those whose time is over. */
export function startReconciler(ports: TaskPorts, inFlight: InFlight): Worker {
  const { clock, log, store, timings } = ports;
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
        limitPerSecond: timings.queriesPerSecond,
      }),
    work: (record) => checkTask(ports, record, mayBeAnswered(ports, record, inFlight)),
  });
}

async function checkTask(ports: TaskPorts, record: TaskRecord, isOpen: boolean): Promise<void> {
  const providerTaskId = record.providerTaskId ?? record.unverifiedProviderTaskId;
  const outcomeDueAt = whenOutcomeIsDue(ports, record);
  // Without a candidate nothing else makes a check due; at start all marks are, for nobody is left to write outcomes.
  const isLost =
    !isOpen && outcomeDueAt !== null && (providerTaskId === null || outcomeDueAt <= ports.clock.now());
  if (isLost) {
    const reason = 'no outcome was written before its time was over';
    await settleSubmission(ports, record, { kind: 'unknown', reason });
  }
  if (providerTaskId !== null) return ask(ports, record, providerTaskId);
  if (!isLost) return endOrAskLater(ports, record);
}

/** Until when the outcome of the create call that is under way must have been written; null when none is. */
function whenOutcomeIsDue({ timings }: TaskPorts, record: TaskRecord): number | null {
  const { markedAt, refusal, state, unknownSince } = record;
  const isUnderWay = state === 'SUBMITTING' && unknownSince === null && refusal === null;
  return isUnderWay && markedAt !== null ? markedAt + timings.createTimeout + timings.markMargin : null;
}

async function ask(ports: TaskPorts, record: TaskRecord, providerTaskId: string): Promise<void> {
  const { clock, log, provider, store } = ports;
  const answer = await provider.queryTask(providerTaskId);
  const now = clock.now();
  if (answer.kind === 'nothing') {
    log.debug({ task: record.id, providerTaskId, reason: answer.reason }, 'the query brought nothing new');
    return endOrAskLater(ports, record, { said: answer.said });
  }
  const { callbackUrl } = answer;
  if (
    record.providerTaskId === null &&
    !(await isProven(ports, record.id, { providerTaskId, callbackUrl }))
  ) {
    log.warn(
      { task: record.id, providerTaskId },
      "nothing proves that a provider id is this task's; dropped",
    );
    return endOrAskLater(ports, record, { wrong: providerTaskId });
  }
  if (answer.kind === 'running')
    log.warn({ task: record.id, providerTaskId, reason: answer.reason }, 'the task counts as still running');
  // Even an answer that moves nothing proves that the provider has the task under this id.
  const update =
    answer.kind === 'update'
      ? answer.update
      : { state: 'WAITING' as const, providerTaskId, creditsConsumed: null };
  const plan = await planner(ports);
  const changed = await changeTask(store, record.id, (current) => {
    const next = updated(current, update, { at: now, source: 'QUERY' }, plan);
    return next && { ...next, nextCheckAt: soonest(next.nextCheckAt, current, record) };
  });
  const said = answer.kind === 'running' ? (answer.said ?? null) : null;
  if (!changed || !isTerminal(changed.state)) await endOrAskLater(ports, record, { said });
}

/**
 * A check that brought no end: ends the task if its time is over, and otherwise sets its next check. Drops the candidate
 * that turned out to be `wrong`, in the same write: without one, a check that is due means that the call's outcome is lost.
 */
async function endOrAskLater(
  ports: TaskPorts,
  checked: TaskRecord,
  {
    said,
    wrong = null,
  }: { readonly said?: ProviderWords | null | undefined; readonly wrong?: string | null } = {},
): Promise<void> {
  const { clock, store, timings } = ports;
  const now = clock.now();
  const ended = await changeTask(store, checked.id, (record) => {
    const end = endByClock(ports, withWords(record), now);
    return end && updated(record, end, { at: now, source: 'GATEWAY' }, null);
  });
  if (ended) return;
  await amendTask(store, checked.id, (record) => {
    // Somebody asked for a look while this one was under way; it may be under way too.
    if (record.version !== checked.version && record.nextCheckAt !== null && record.nextCheckAt <= now)
      return null;
    const isWrong = wrong !== null && record.unverifiedProviderTaskId === wrong;
    const heard = withWords(record);
    const next = isWrong ? { ...heard, unverifiedProviderTaskId: null } : heard;
    const planned = nextCheckAt(next);
    return { ...next, nextCheckAt: isWrong ? planned : soonest(planned, record, checked) };
  });

  /** Where nobody answered, the last words stay. */
  function withWords(record: TaskRecord): TaskRecord {
    return said === undefined ? record : { ...record, lastWords: said };
  }

  function nextCheckAt(record: TaskRecord): number | null {
    if (hasEnded(record)) return null;
    const isKnown = record.providerTaskId !== null || record.unverifiedProviderTaskId !== null;
    const giveUpAt = record.createdAt + timings.taskDeadline;
    if (isKnown && now < giveUpAt) return Math.min(nextCheckTime(record, now, timings), giveUpAt);
    const dueAt =
      record.unknownSince === null
        ? whenOutcomeIsDue(ports, record)
        : record.unknownSince + timings.submissionGrace;
    if (dueAt !== null && dueAt > now) return dueAt;
    // What is overdue may still be answered, or the clock may be wrong: it is looked at again.
    if (record.providerTaskId !== null) return nextCheckTime(record, now, timings);
    return dueAt && now + timings.checkIntervalMin;
  }
}

/** The next check of a task: as `planned`, or as somebody wanted it while the check of `checked` was under way. */
function soonest(planned: number | null, current: TaskRecord, checked: TaskRecord): number | null {
  const isWanted = current.version !== checked.version && current.nextCheckAt !== null;
  return isWanted && planned !== null ? Math.min(planned, current.nextCheckAt) : planned;
}

/** The ending that our clock gives a task when nobody else gives one in time. */
function endByClock(ports: TaskPorts, record: TaskRecord, now: number): TaskUpdate | null {
  if (!isClockTrusted(ports)) return null;
  const { timings } = ports;
  const creditsConsumed = record.lastWords?.creditsConsumed ?? null;
  const fail = { state: 'FAIL', providerTaskId: null, creditsConsumed } as const;
  if (record.unknownSince !== null && now >= record.unknownSince + timings.submissionGrace)
    return { ...fail, failure: submissionUnknown('and no callback came', record.lastWords) };
  if (record.providerTaskId !== null && now >= record.createdAt + timings.taskDeadline) {
    const message =
      'The provider gave no final state in time; the video may still come, and may have been charged. ' +
      'Look at https://kie.ai/logs before you try again.';
    return { ...fail, failure: concluded(record.lastWords, { code: 'EXPIRED', message }) };
  }
  return null;
}
