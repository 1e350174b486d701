import { randomUUID } from 'node:crypto';
import type { TaskPorts } from './ports.ts';
import type { CreateOutcome } from './provider.ts';
import { type TaskRecord, isVisible } from './task.ts';
import { startWorker, type Loop } from './worker.ts';
import { failed, saved, updated, writeTask, type Decision } from './change.ts';
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
): Loop {
  const { clock, log, processId, provider, store, timings } = ports;
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
        provider: provider.name,
        attempt,
        limit: provider.limits.createsPerWindow,
        windowMs: provider.limits.createWindow,
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
  sent: TaskRecord,
  outcome: CreateOutcome,
): Promise<void> {
  const decide = await decisionOn(ports, sent, outcome);
  const known = outcome.kind === 'accepted' ? sent : null;
  const written = await writeTask(ports.store, sent.id, decide, known);
  if (written) ports.pendingCreates.notify(written);
}

type Decide = (record: TaskRecord) => Decision;

async function decisionOn(ports: TaskPorts, sent: TaskRecord, outcome: CreateOutcome): Promise<Decide> {
  switch (outcome.kind) {
    case 'accepted':
      return accept(ports, sent, outcome.providerTaskId);
    case 'refused':
      return unlessNamed(ports, sent, outcome.failure, refuse(ports, outcome.failure));
    case 'not-now':
      return unlessNamed(ports, sent, outcome.failure, sendAgain(ports, sent, outcome));
    case 'unknown':
      return leaveUnknown(ports, sent, outcome.reason, outcome.said ?? null);
  }
}

async function accept(ports: TaskPorts, sent: TaskRecord, providerTaskId: string): Promise<Decide> {
  const { clock, log, store } = ports;
  const { id } = sent;
  const holder = await store.holderOf(providerTaskId);
  if (holder !== null && holder !== id) {
    log.error({ task: id, providerTaskId, holder }, 'the provider returned the same id for two tasks');
    return leaveUnknown(ports, sent, `the provider returned ${providerTaskId}, the id of another task`, null);
  }
  const origin = { at: clock.now(), source: 'CREATE_ANSWER' } as const;
  const update = { state: 'WAITING', providerTaskId, creditsConsumed: null } as const;
  const plan = await planner(ports, sent);
  return (record) => {
    const next = updated(record, update, origin, plan);
    if (next) return { save: next };
    // The task was already presumed failed: a query finds its real outcome.
    return record.providerTaskId === null && !record.refusal
      ? { amend: { ...record, unverifiedProviderTaskId: providerTaskId, nextCheckAt: origin.at } }
      : null;
  };
}

/** Nothing was created: a hidden task stays hidden and keeps the refusal for its twins; a visible one fails. */
function refuse({ clock }: TaskPorts, failure: TaskFailure): Decide {
  const now = clock.now();
  return (record) => {
    if (awaitsOutcome(record) && !isVisible(record))
      return {
        amend: { ...record, refusal: failure, idempotencyKey: null, nextCheckAt: null, updatedAt: now },
      };
    return isSubmitting(record) || isPresumedFailed(record) ? failUncreated(record, failure, now) : null;
  };
}

/** "Nothing was created" is in doubt while a callback names a provider task that was not queried yet. */
function unlessNamed(ports: TaskPorts, sent: TaskRecord, failure: TaskFailure, decide: Decide): Decide {
  return (record) => {
    const { unverifiedProviderTaskId: named } = record;
    if (named === null) return decide(record);
    const { message, providerCode } = failure;
    const reason = `a callback named ${named}, but the create call ended with ${failure.code}`;
    return leaveUnknown(ports, sent, reason, { providerCode, message, creditsConsumed: null })(record);
  };
}

function sendAgain(
  ports: TaskPorts,
  sent: TaskRecord,
  { failure, retryAfterMs }: Extract<CreateOutcome, { kind: 'not-now' }>,
): Decide {
  const { clock, timings } = ports;
  const now = clock.now();
  const deadline = (sent.notNowSince ?? now) + timings.submitDeadline;
  // The provider would refuse an earlier call.
  const isOver = now >= deadline || now + (retryAfterMs ?? 0) > deadline;
  if (isOver && isClockTrusted(ports)) return refuse(ports, failure);
  // Retry-After may lengthen the usual delay, never shorten it.
  // Whole ms: PostgreSQL refuses fractions, and the outcome would never be stored.
  const delay = Math.ceil(Math.max(retryAfterMs ?? 0, resendDelay(sent.notNowCount, timings)));
  const submitAt = isOver ? now + delay : Math.min(now + delay, deadline);
  return (record) => {
    // The task was presumed failed meanwhile. It is not sent again, and it is now certain that nothing was created.
    if (isPresumedFailed(record)) return failUncreated(record, failure, now);
    if (!isSubmitting(record) || record.markedAt !== sent.markedAt) return null;
    const { notNowCount, notNowSince } = record;
    const waiting = { notNowCount: notNowCount + 1, notNowSince: notNowSince ?? now, submitAt };
    return { amend: { ...record, ...waiting, markedAt: null, unknownSince: null, nextCheckAt: null } };
  };
}

/** The task is never sent again. Only a callback can still adopt it; without a callback URL it fails at once. */
function leaveUnknown(
  { callbackAddress, clock, log, timings }: TaskPorts,
  sent: TaskRecord,
  reason: string,
  said: ProviderWords | null,
): Decide {
  log.warn({ task: sent.id, reason }, 'the outcome of a create call is unknown; it is not sent again');
  const now = clock.now();
  const hasCallbacks = callbackAddress.urlFor(sent.id) !== null;
  return (record) => {
    // The call may have ended with "not now" meanwhile, which removed its mark.
    if (!awaitsOutcome(record) || record.markedAt !== sent.markedAt) return null;
    if (!hasCallbacks) {
      const failure = submissionUnknown('and there are no callbacks without PUBLIC_URL', said);
      return saved(failed(record, failure, { at: now, source: 'GATEWAY' }));
    }
    // An unverified id from a callback is queried at once.
    const nextCheckAt = record.unverifiedProviderTaskId === null ? now + timings.submissionGrace : now;
    const next = { ...record, unknownSince: now, lastWords: said, nextCheckAt };
    return isVisible(record) ? { amend: next } : { save: next };
  };
}

/** The provider created nothing for certain, so the key is free again. */
function failUncreated(record: TaskRecord, failure: TaskFailure, at: number): Decision {
  const ended = failed(record, failure, { at, source: 'CREATE_ANSWER' });
  return ended && { save: { ...ended, idempotencyKey: null } };
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
