import { randomUUID } from 'node:crypto';
import type { TaskPorts } from './ports.ts';
import type { CreateOutcome } from './provider.ts';
import { type TaskRecord, isVisible, type UpdateSource } from './task.ts';
import { startWorker, type Worker } from './worker.ts';
import { amendTask, changeTask, updated } from './change.ts';
import { concluded, type TaskFailure, type ProviderWords } from './failure.ts';
import { planner } from './schedule.ts';
import { isClockTrusted } from './time-watch.ts';
import type { Timings } from './timings.ts';

/** The tasks whose create call this process has begun and whose outcome is not stored yet. */
export type InFlight = Set<string>;

/** Sends waiting tasks to the provider as the create limit allows, and writes down what became of each call. */
export function startSubmitter(
  ports: TaskPorts,
  { abandoned, inFlight }: { readonly abandoned: AbortSignal; readonly inFlight: InFlight },
): Worker {
  const { clock, log, processId, store, timings } = ports;
  let attempt = randomUUID();
  const worker = startWorker({
    name: 'submitter',
    clock,
    log,
    idleMs: timings.idleLook,
    claim: async () => {
      const claim = await store.takeTurns({
        now: clock.now,
        elapsed: clock.elapsed,
        processId,
        attempt,
        limit: timings.createsPerWindow,
        windowMs: timings.createWindow,
        checkAfterMs: timings.createTimeout + timings.markMargin,
      });
      // Only now: when the call was rejected, its marks may be there all the same.
      attempt = randomUUID();
      return claim;
    },
    work: async (record) => {
      inFlight.add(record.id);
      const outcome = await submitTask(ports, record, abandoned).finally(() => inFlight.delete(record.id));
      // It waits its turn again, for a time that the last look could not know of.
      if (outcome.kind === 'not-now') worker.wake();
    },
  });
  return worker;
}

/** `record` carries its mark: this is the one call that may be made for it. */
async function submitTask(
  ports: TaskPorts,
  record: TaskRecord,
  abandoned: AbortSignal,
): Promise<CreateOutcome> {
  const { clock, log } = ports;
  const begun = clock.now();
  const outcome = await callOnce(ports, record);
  const attempt = record.notNowCount + 1;
  const line = { task: record.id, attempt, ...told(outcome), ms: clock.now() - begun };
  log.info(line, 'isHeldBack' in outcome ? 'create call held back' : 'create call ended');
  await persist(ports, record.id, abandoned, () => settleSubmission(ports, record, outcome));
  return outcome;
}

/** What the log tells of an outcome. */
function told(outcome: CreateOutcome): object {
  const { kind } = outcome;
  if (kind === 'accepted') return { outcome: kind, providerTaskId: outcome.providerTaskId };
  if (kind === 'unknown') return { outcome: kind, reason: outcome.reason };
  const { code, providerCode } = outcome.failure;
  return { outcome: kind, code, providerCode };
}

async function callOnce(
  { provider, callbackAddress }: TaskPorts,
  record: TaskRecord,
): Promise<CreateOutcome> {
  try {
    return await provider.createTask(record, callbackAddress.urlFor(record.id));
  } catch (error) {
    // By its contract it does not throw; if it does, nobody knows how far the call went.
    return { kind: 'unknown', reason: String(error) };
  }
}

/** An outcome exists only here until the store has it, so it is written until that succeeds. */
async function persist(
  { clock, log, timings }: TaskPorts,
  task: string,
  abandoned: AbortSignal,
  write: () => Promise<void>,
): Promise<void> {
  while (!abandoned.aborted) {
    try {
      await write();
      return;
    } catch (error) {
      log.error({ err: error, task }, 'the store did not take the outcome of a create call; trying again');
      await new Promise<void>((resolve) => clock.after(timings.outcomeLook, resolve));
    }
  }
}

/** Writes down how the create call of a marked task ended, and tells whoever waits for it. */
export async function settleSubmission(
  ports: TaskPorts,
  record: TaskRecord,
  outcome: CreateOutcome,
): Promise<void> {
  switch (outcome.kind) {
    case 'accepted':
      return accept(ports, record, outcome.providerTaskId);
    case 'refused':
      return refuse(ports, record.id, outcome.failure);
    case 'not-now':
      return sendAgain(ports, record, outcome.failure, outcome.retryAfterMs);
    case 'unknown':
      return leaveUnknown(ports, record, outcome.reason, outcome.said ?? null);
  }
}

async function accept(ports: TaskPorts, sent: TaskRecord, providerTaskId: string): Promise<void> {
  const { clock, log, store } = ports;
  const { id } = sent;
  const holder = await store.holderOf(providerTaskId);
  if (holder !== null && holder !== id) {
    log.error({ task: id, providerTaskId, holder }, 'the provider gave two tasks the same id');
    const reason = `the provider named the id ${providerTaskId}, which another task has`;
    return leaveUnknown(ports, sent, reason, null);
  }
  const now = clock.now();
  const heard = { at: now, source: 'CREATE_ANSWER' } as const;
  const update = { state: 'WAITING', providerTaskId, creditsConsumed: null } as const;
  const plan = await planner(ports);
  const changed = await changeTask(store, id, (record) => updated(record, update, heard, plan), sent);
  // Already concluded to be lost: the provider's word decides how it truly ended.
  if (!changed)
    await amendTask(store, id, (record) =>
      record.providerTaskId === null && !record.refusal
        ? { ...record, unverifiedProviderTaskId: providerTaskId, nextCheckAt: now }
        : null,
    );
}

/** Nothing was created: a task that nobody was told of stays hidden with its refusal, any other one fails. */
async function refuse(ports: TaskPorts, id: string, failure: TaskFailure): Promise<void> {
  const { clock, pendingCreates, store } = ports;
  const hidden = await amendTask(store, id, (record) =>
    isWaitingForAnswer(record) && !isVisible(record)
      ? { ...record, refusal: failure, idempotencyKey: null, nextCheckAt: null, updatedAt: clock.now() }
      : null,
  );
  if (hidden) {
    pendingCreates.tell(hidden);
    return;
  }
  const isInDoubt = (record: TaskRecord): boolean => isSubmitting(record) || isGivenUp(record);
  await failSubmission(ports, id, failure, { from: isInDoubt, freesKey: true, source: 'CREATE_ANSWER' });
}

async function sendAgain(
  ports: TaskPorts,
  sent: TaskRecord,
  failure: TaskFailure,
  retryAfterMs: number | null,
): Promise<void> {
  const { clock, store, timings } = ports;
  const now = clock.now();
  const deadline = (sent.notNowSince ?? now) + timings.submitDeadline;
  const isOver = now >= deadline;
  if (isOver && isClockTrusted(ports)) return refuse(ports, sent.id, failure);
  // A provider that says "at once" is believed only after the usual pause.
  // Times are whole ms: PostgreSQL refuses others, and the outcome would never be stored.
  const delay = Math.ceil(Math.max(retryAfterMs ?? 0, resendDelay(sent.notNowCount, timings)));
  const waiting = await amendTask(store, sent.id, (record) =>
    isSubmitting(record) && record.markedAt === sent.markedAt
      ? {
          ...record,
          markedAt: null,
          unknownSince: null,
          nextCheckAt: null,
          submitAt: isOver ? now + delay : Math.min(now + delay, deadline),
          notNowCount: record.notNowCount + 1,
          notNowSince: record.notNowSince ?? now,
        }
      : null,
  );
  // Given up meanwhile: it is not sent again, but now it is certain that nothing was created.
  if (!waiting)
    await failSubmission(ports, sent.id, failure, {
      from: isGivenUp,
      freesKey: true,
      source: 'CREATE_ANSWER',
    });
}

/** Never sent again. A callback can still adopt the task, unless the provider was given no address for one. */
async function leaveUnknown(
  ports: TaskPorts,
  sent: TaskRecord,
  reason: string,
  said: ProviderWords | null,
): Promise<void> {
  const { callbackAddress, clock, log, pendingCreates, store, timings } = ports;
  const { id } = sent;
  // A call that was taken for lost may have ended meanwhile with "not now", which takes its mark back.
  const isLost = (record: TaskRecord): boolean =>
    isWaitingForAnswer(record) && record.markedAt === sent.markedAt;
  log.warn({ task: id, reason }, 'nobody knows whether the provider took this task; it is not sent again');
  if (callbackAddress.urlFor(id) === null) {
    const failure = submissionUnknown('and without PUBLIC_URL no callback can tell', said);
    return failSubmission(ports, id, failure, { from: isLost, freesKey: false, source: 'GATEWAY' });
  }
  const now = clock.now();
  const toUnknown = (record: TaskRecord): TaskRecord | null =>
    isLost(record)
      ? {
          ...record,
          unknownSince: now,
          lastWords: said,
          // Somebody has named the provider's id for it: that is asked about first.
          nextCheckAt: record.unverifiedProviderTaskId === null ? now + timings.submissionGrace : now,
        }
      : null;
  const announced = await changeTask(store, id, (record) => (isVisible(record) ? null : toUnknown(record)));
  const known = announced ?? (await amendTask(store, id, toUnknown));
  if (known) pendingCreates.tell(known);
}

/** What is said of a task whose create answer was lost, or left it open, when nothing was heard of it since. */
export function submissionUnknown(why: string, said: ProviderWords | null): TaskFailure {
  const what = said
    ? 'The answer to the create call does not say whether the provider took the task,'
    : 'The answer to the create call was lost';
  return concluded(said, {
    code: 'SUBMISSION_UNKNOWN',
    message:
      `${what} ${why}: the provider may have taken the task and charged for it. ` +
      'Look at https://kie.ai/logs before you try again.',
  });
}

async function failSubmission(
  { clock, store }: TaskPorts,
  id: string,
  failure: TaskFailure,
  how: {
    readonly from: (record: TaskRecord) => boolean;
    readonly freesKey: boolean;
    readonly source: UpdateSource;
  },
): Promise<void> {
  const { freesKey, from, source } = how;
  const now = clock.now();
  await changeTask(store, id, (record) => {
    if (!from(record)) return null;
    const update = { state: 'FAIL', failure, providerTaskId: null, creditsConsumed: null } as const;
    const failed = updated(record, update, { at: now, source }, null);
    return failed && freesKey ? { ...failed, idempotencyKey: null } : failed;
  });
}

/** Not adopted by a callback, refused or given up meanwhile. */
function isSubmitting(record: TaskRecord): boolean {
  return record.state === 'SUBMITTING' && record.refusal === null;
}

/** The same, and not known to be unknown. */
function isWaitingForAnswer(record: TaskRecord): boolean {
  return isSubmitting(record) && record.unknownSince === null;
}

/** Failed because nothing was heard of it, which an answer that comes after all still corrects. */
function isGivenUp(record: TaskRecord): boolean {
  return record.failure?.code === 'SUBMISSION_UNKNOWN';
}

/** How long to wait before a create call is tried again, in whole ms: doubling, with jitter so that tasks spread out. */
export function resendDelay(earlierAttempts: number, timings: Timings): number {
  const { resendFirstMin, resendFirstMax, resendMax } = timings;
  const first = resendFirstMin + Math.random() * (resendFirstMax - resendFirstMin);
  const doubled = first * 2 ** Math.min(earlierAttempts, 20);
  return Math.round(Math.min(doubled, resendMax * (0.8 + 0.4 * Math.random())));
}
