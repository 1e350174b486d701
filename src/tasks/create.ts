import { createHash } from 'node:crypto';
import { changeTask } from './change.ts';
import { type TaskFailure, RequestError } from './failure.ts';
import { isSettled } from './pending-creates.ts';
import type { TaskPorts } from './ports.ts';
import type { ReachedCap } from './store.ts';
import { MODEL, isVisible, type VisibleRecord, type TaskInput, type TaskRecord } from './task.ts';
import { validateInput, type CreateInput, type ValidInput, type ValidationIssue } from './validate-input.ts';
import type { ImageIssue, InspectImage } from './image-issue.ts';

/** How createImageToVideo ends, as data. */
export type CreateResult =
  | { readonly kind: 'success'; readonly task: VisibleRecord }
  | { readonly kind: 'invalid'; readonly issues: readonly ValidationIssue[] }
  | { readonly kind: 'refused'; readonly failure: TaskFailure }
  | { readonly kind: 'conflict'; readonly task: VisibleRecord };

/** A caller's wish for a video. */
export interface CreateRequest {
  readonly owner: string;
  readonly input: CreateInput;
  /** Names the request in the log; null when nothing does. */
  readonly reqId: string | null;
}

/** What a new task needs of the process that it is made in. */
export interface Process {
  readonly wakeSubmitter: () => void;
  /** Aborted when waiting mutations have to be answered now. */
  readonly stopping: AbortSignal;
}

/**
 * Takes a caller's wish for a video: stores it, has it submitted, and waits a bounded time for what becomes of it.
 * A wish that carries an idempotencyKey in use joins the task that has it. Rejects when the store fails; then the caller
 * may try again. Rejects with RATE_LIMITED when the owner has created too many of late, and with SERVICE_UNAVAILABLE when the
 * process stops before its pictures were looked at.
 */
export async function createTask(
  ports: TaskPorts,
  { stopping, wakeSubmitter }: Process,
  { input, owner, reqId }: CreateRequest,
): Promise<CreateResult> {
  const checked = validateInput(input);
  if ('issues' in checked) return { kind: 'invalid', issues: checked.issues };
  const { clock, inspectImage, log, store, timings } = ports;
  // Whatever became of a picture since, a task that is there is answered.
  if (inspectImage && !(await isKnown(ports, owner, checked.valid))) {
    const issues = await inspectImages(inspectImage, owner, checked.valid, stopping);
    if (issues.length > 0) return { kind: 'invalid', issues };
  }

  const elapsed = clock.elapsed ?? clock.now;
  const deadline = elapsed() + timings.createWait;
  const hash = hashOf(checked.valid);
  for (;;) {
    if ((await isQueueFull(ports, owner)) && !(await isKnown(ports, owner, checked.valid)))
      return { kind: 'refused', failure: QUEUE_FULL };
    const wish = newRecord(ports, owner, checked.valid, hash);
    const record = await store.insert(wish, timings.createCaps);
    if ('cap' in record) throw tooManyCreates(record, clock.now());
    log.info({ reqId, task: record.id, owner, isNew: record.id === wish.id }, 'create requested');
    wakeSubmitter();
    const settled = await waitForOutcome(ports, record, deadline);
    // Its first caller's process died before it was sent, so nobody was told of it: this caller becomes the first.
    if (!settled) continue;
    const isTwin = settled.inputHash === hash;
    if (isVisible(settled)) return { kind: isTwin ? 'success' : 'conflict', task: settled };
    if (settled.refusal && isTwin) return { kind: 'refused', failure: settled.refusal };
    // The other input that had the key was refused, which freed it.
  }
}

const QUEUE_FULL: TaskFailure = {
  code: 'RATE_LIMITED',
  providerCode: null,
  message: 'Too many tasks wait to be submitted; nothing was stored. Try again in some minutes.',
};

/**
 * Whether one more task of this owner would wait too long. Owners are served round robin, so only the tasks that it cannot
 * overtake count, and whoever has nothing waiting is never refused because of others.
 */
async function isQueueFull({ store, timings }: TaskPorts, owner: string): Promise<boolean> {
  const waiting = await store.waitingByOwner();
  const mine = waiting.get(owner) ?? 0;
  if (mine === 0) return false;
  let ahead = 0;
  for (const [other, count] of waiting) ahead += other === owner ? count : Math.min(count, mine + 1);
  return (ahead / timings.createsPerWindow) * timings.createWindow > timings.queueLimit;
}

function tooManyCreates({ cap, freeAt }: ReachedCap, now: number): RequestError {
  const retryAfterMs = Math.max(0, freeAt - now);
  const message = `No more than ${cap.limit} tasks may be created in ${cap.windowMs / 1000} s; nothing was stored.`;
  return new RequestError('RATE_LIMITED', message, retryAfterMs);
}

/** A task that is already there takes no place in the queue. */
async function isKnown(
  { store }: TaskPorts,
  owner: string,
  { idempotencyKey }: ValidInput,
): Promise<boolean> {
  return idempotencyKey !== null && (await store.getByKey(owner, idempotencyKey)) !== null;
}

/** The task once it is settled, or announced because time ran out; null when it was swept meanwhile. */
async function waitForOutcome(
  ports: TaskPorts,
  first: TaskRecord,
  deadline: number,
): Promise<TaskRecord | null> {
  const { clock, pendingCreates, store, timings } = ports;
  const elapsed = clock.elapsed ?? clock.now;
  let record: TaskRecord | null = first;
  while (record && !isSettled(record)) {
    const left = deadline - elapsed();
    if (left <= 0 || pendingCreates.hasEnded()) return announce(ports, record.id);
    const told = await pendingCreates.wait(record.id, Math.min(left, timings.outcomeLook));
    if (told) return told;
    record = await store.get(record.id);
  }
  return record;
}

async function announce({ store }: TaskPorts, id: string): Promise<TaskRecord | null> {
  const announced = await changeTask(store, id, (record) =>
    isVisible(record) || record.refusal ? null : record,
  );
  return announced ?? store.get(id);
}

function newRecord(ports: TaskPorts, owner: string, input: ValidInput, inputHash: string): TaskRecord {
  const now = ports.clock.now();
  return {
    ...input,
    id: ports.newTaskId(),
    owner,
    inputHash,
    state: 'SUBMITTING',
    model: MODEL,
    videos: [],
    failure: null,
    providerTaskId: null,
    creditsConsumed: null,
    revision: null,
    createdAt: now,
    updatedAt: now,
    completedAt: null,
    expectedAt: null,
    timeline: [{ state: 'SUBMITTING', at: now, source: 'GATEWAY' }],
    submitLeaseBy: ports.processId,
    submitLeaseUntil: now + ports.timings.createWait + ports.timings.submitLease,
    submitAt: now,
    notNowCount: 0,
    notNowSince: null,
    markedAt: null,
    unknownSince: null,
    refusal: null,
    unverifiedProviderTaskId: null,
    lastWords: null,
    nextCheckAt: null,
    version: 0,
  };
}

/** Equal for inputs that ask the provider for the same. */
function hashOf(input: TaskInput): string {
  const { prompt, imageUrl, endImageUrl, promptOptimizer } = input;
  return createHash('sha256')
    .update(JSON.stringify([MODEL, prompt, imageUrl, endImageUrl, promptOptimizer]))
    .digest('base64url');
}

/** Looks at the pictures of an input and returns what is wrong with them. */
async function inspectImages(
  inspect: InspectImage,
  owner: string,
  { endImageUrl, imageUrl }: TaskInput,
  stopping: AbortSignal,
): Promise<readonly ValidationIssue[]> {
  const first = inspect(owner, imageUrl, stopping);
  const last =
    endImageUrl === null || endImageUrl === imageUrl ? first : inspect(owner, endImageUrl, stopping);
  const [ofFirst, ofLast] = await Promise.all([first, last]);
  return [...issuesOf('imageUrl', ofFirst), ...issuesOf('endImageUrl', endImageUrl === null ? null : ofLast)];
}

function issuesOf(field: 'imageUrl' | 'endImageUrl', issue: ImageIssue | null): readonly ValidationIssue[] {
  return issue ? [{ field, code: issue.code, message: `${field}: ${issue.message}` }] : [];
}
