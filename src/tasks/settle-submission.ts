import { amendTask, changeTask, updated } from './change-task.ts';
import { concluded, type TaskFailure } from './failure.ts';
import type { TaskPorts } from './ports.ts';
import type { ProviderWords } from './failure.ts';
import type { CreateOutcome } from './provider.ts';
import { resendDelay } from './resend-delay.ts';
import { planner } from './schedule.ts';
import { isAnnounced, type TaskRecord } from './task.ts';
import { isClockTrusted } from './time-watch.ts';
import type { UpdateSource } from './timeline.ts';

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
        ? { ...record, candidateProviderTaskId: providerTaskId, nextCheckAt: now }
        : null,
    );
}

/** Nothing was created: a task that nobody was told of stays hidden with its refusal, any other one fails. */
async function refuse(ports: TaskPorts, id: string, failure: TaskFailure): Promise<void> {
  const { clock, outcomes, store } = ports;
  const hidden = await amendTask(store, id, (record) =>
    isWaitingForAnswer(record) && !isAnnounced(record)
      ? { ...record, refusal: failure, idempotencyKey: null, nextCheckAt: null, updatedAt: clock.now() }
      : null,
  );
  if (hidden) {
    outcomes.tell(hidden);
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
  const { callbackAddress, clock, log, outcomes, store, timings } = ports;
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
          nextCheckAt: record.candidateProviderTaskId === null ? now + timings.submissionGrace : now,
        }
      : null;
  const announced = await changeTask(store, id, (record) => (isAnnounced(record) ? null : toUnknown(record)));
  const known = announced ?? (await amendTask(store, id, toUnknown));
  if (known) outcomes.tell(known);
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
