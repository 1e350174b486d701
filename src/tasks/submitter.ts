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

/** Ids of tasks whose create call is in flight, or whose outcome is not stored yet. */
export type InFlight = Set<string>;

/** Sends queued tasks within the create limit, and stores the outcome of each call. */
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
      const claim = await store.claimSubmissions({
        now: clock.now,
        elapsed: clock.elapsed,
        processId,
        attempt,
        limit: timings.createsPerWindow,
        windowMs: timings.createWindow,
        checkAfterMs: timings.createTimeout + timings.markMargin,
      });
      // After a rejected call the attempt stays the same: its marks may have been committed.
      attempt = randomUUID();
      return claim;
    },
    work: async (record) => {
      inFlight.add(record.id);
      const outcome = await submitTask(ports, record, abandoned).finally(() => inFlight.delete(record.id));
      // The task is queued again, perhaps for earlier than the next scheduled claim.
      if (outcome.kind === 'not-now') worker.wake();
    },
  });
  return worker;
}

/** `record` is marked: this is the only call for its mark. */
async function submitTask(
  ports: TaskPorts,
  record: TaskRecord,
  abandoned: AbortSignal,
): Promise<CreateOutcome> {
  const { clock, log } = ports;
  const startedAt = clock.now();
  const outcome = await callOnce(ports, record);
  const attempt = record.notNowCount + 1;
  const line = { task: record.id, attempt, ...fieldsOf(outcome), ms: clock.now() - startedAt };
  log.info(line, 'isHeldBack' in outcome ? 'create call held back' : 'create call ended');
  await persist(ports, record.id, abandoned, () => settleSubmission(ports, record, outcome));
  return outcome;
}

function fieldsOf(outcome: CreateOutcome): object {
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
    // The contract forbids this. The call may have been sent.
    return { kind: 'unknown', reason: String(error) };
  }
}

/** Retries the write until it succeeds: until then the outcome exists in memory only. */
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
      log.error({ err: error, task }, 'storing the outcome of a create call failed; retrying');
      await new Promise<void>((resolve) => clock.after(timings.outcomeLook, resolve));
    }
  }
}

/** Stores the outcome of a marked task's create call, and resolves the mutations that wait for it. */
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
    log.error({ task: id, providerTaskId, holder }, 'the provider returned the same id for two tasks');
    const reason = `the provider returned ${providerTaskId}, the id of another task`;
    return leaveUnknown(ports, sent, reason, null);
  }
  const now = clock.now();
  const origin = { at: now, source: 'CREATE_ANSWER' } as const;
  const update = { state: 'WAITING', providerTaskId, creditsConsumed: null } as const;
  const plan = await planner(ports);
  const changed = await changeTask(store, id, (record) => updated(record, update, origin, plan), sent);
  // The task was already presumed failed: a query finds its real outcome.
  if (!changed)
    await amendTask(store, id, (record) =>
      record.providerTaskId === null && !record.refusal
        ? { ...record, unverifiedProviderTaskId: providerTaskId, nextCheckAt: now }
        : null,
    );
}

/** Nothing was created: a hidden task stays hidden and keeps the refusal for its twins; a visible one fails. */
async function refuse(ports: TaskPorts, id: string, failure: TaskFailure): Promise<void> {
  const { clock, pendingCreates, store } = ports;
  const hidden = await amendTask(store, id, (record) =>
    awaitsOutcome(record) && !isVisible(record)
      ? { ...record, refusal: failure, idempotencyKey: null, nextCheckAt: null, updatedAt: clock.now() }
      : null,
  );
  if (hidden) {
    pendingCreates.notify(hidden);
    return;
  }
  const isInDoubt = (record: TaskRecord): boolean => isSubmitting(record) || isPresumedFailed(record);
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
  // Retry-After may lengthen the usual delay, never shorten it.
  // Whole ms: PostgreSQL refuses fractions, and the outcome would never be stored.
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
  // The task was presumed failed meanwhile. It is not sent again, and it is now certain that nothing was created.
  if (!waiting)
    await failSubmission(ports, sent.id, failure, {
      from: isPresumedFailed,
      freesKey: true,
      source: 'CREATE_ANSWER',
    });
}

/** The task is never sent again. Only a callback can still adopt it; without a callback URL it fails at once. */
async function leaveUnknown(
  ports: TaskPorts,
  sent: TaskRecord,
  reason: string,
  said: ProviderWords | null,
): Promise<void> {
  const { callbackAddress, clock, log, pendingCreates, store, timings } = ports;
  const { id } = sent;
  // The call may have ended with "not now" meanwhile, which removed its mark.
  const isLost = (record: TaskRecord): boolean => awaitsOutcome(record) && record.markedAt === sent.markedAt;
  log.warn({ task: id, reason }, 'the outcome of a create call is unknown; it is not sent again');
  if (callbackAddress.urlFor(id) === null) {
    const failure = submissionUnknown('and there are no callbacks without PUBLIC_URL', said);
    return failSubmission(ports, id, failure, { from: isLost, freesKey: false, source: 'GATEWAY' });
  }
  const now = clock.now();
  const toUnknown = (record: TaskRecord): TaskRecord | null =>
    isLost(record)
      ? {
          ...record,
          unknownSince: now,
          lastWords: said,
          // An unverified id from a callback is queried at once.
          nextCheckAt: record.unverifiedProviderTaskId === null ? now + timings.submissionGrace : now,
        }
      : null;
  const visible = await changeTask(store, id, (record) => (isVisible(record) ? null : toUnknown(record)));
  const known = visible ?? (await amendTask(store, id, toUnknown));
  if (known) pendingCreates.notify(known);
}

/** The failure of a task whose create response was lost or unclear, and of which nothing arrived since. */
export function submissionUnknown(why: string, said: ProviderWords | null): TaskFailure {
  const what = said
    ? 'The response to the create call does not show whether the provider created the task,'
    : 'The response to the create call was lost';
  return concluded(said, {
    code: 'SUBMISSION_UNKNOWN',
    message:
      `${what} ${why}. The provider may have created the task and charged for it. ` +
      'Check https://kie.ai/logs before you retry.',
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

/** Not adopted by a callback, refused or failed meanwhile. */
function isSubmitting(record: TaskRecord): boolean {
  return record.state === 'SUBMITTING' && record.refusal === null;
}

/** Submitting, and the outcome is not recorded as unknown. */
function awaitsOutcome(record: TaskRecord): boolean {
  return isSubmitting(record) && record.unknownSince === null;
}

/** Presumed failed: a real outcome still corrects it. */
function isPresumedFailed(record: TaskRecord): boolean {
  return record.failure?.code === 'SUBMISSION_UNKNOWN';
}

/** Delay before a create call is sent again, in whole ms: exponential backoff with jitter. */
export function resendDelay(earlierAttempts: number, timings: Timings): number {
  const { resendFirstMin, resendFirstMax, resendMax } = timings;
  const first = resendFirstMin + Math.random() * (resendFirstMax - resendFirstMin);
  const doubled = first * 2 ** Math.min(earlierAttempts, 20);
  return Math.round(Math.min(doubled, resendMax * (0.8 + 0.4 * Math.random())));
}
