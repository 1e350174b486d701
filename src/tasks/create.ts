import { createHash } from 'node:crypto';
import { writeTask } from './change.ts';
import { type TaskFailure, RequestError } from './failure.ts';
import { isSettled } from './pending-creates.ts';
import type { TaskPorts } from './ports.ts';
import type { ReachedCap } from './store.ts';
import { MODEL, isVisible, type VisibleRecord, type TaskInput, type TaskRecord } from './task.ts';
import { validateInput, type CreateInput, type ImageIssue, type InspectImage } from './validate-input.ts';
import type { ValidInput, ValidationIssue } from './validate-input.ts';

/** The result of createImageToVideo. */
export type CreateResult =
  | { readonly kind: 'success'; readonly task: VisibleRecord }
  | { readonly kind: 'invalid'; readonly issues: readonly ValidationIssue[] }
  | { readonly kind: 'refused'; readonly failure: TaskFailure }
  | { readonly kind: 'conflict'; readonly task: VisibleRecord };

/** A request for a video. */
export interface CreateRequest {
  readonly owner: string;
  readonly input: CreateInput;
  /** Id of the request in the log. */
  readonly reqId: string | null;
}

/** What `createTask` needs of its process. */
export interface Process {
  readonly wakeSubmitter: () => void;
  /** Aborted at shutdown, to answer waiting mutations. */
  readonly stopping: AbortSignal;
}

/**
 * Stores a new task and waits up to `createWait` for the outcome of its create call. A request with an idempotencyKey in use
 * joins its twin. Rejects with RATE_LIMITED above the owner's caps, with SERVICE_UNAVAILABLE if the process stops during
 * image checks, and with StoreUnavailableError; then the client may retry.
 */
export async function createTask(
  ports: TaskPorts,
  { stopping, wakeSubmitter }: Process,
  { input, owner, reqId }: CreateRequest,
): Promise<CreateResult> {
  const checked = validateInput(input);
  if ('issues' in checked) return { kind: 'invalid', issues: checked.issues };
  const { clock, inspectImage, log, store, timings } = ports;
  // A retry returns the existing task even if its image has become invalid.
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
    const newTask = newRecord(ports, owner, checked.valid, hash);
    const record = await store.insert(newTask, timings.createCaps);
    if ('cap' in record) throw tooManyCreates(record, clock.now());
    log.info({ reqId, task: record.id, owner, isNew: record.id === newTask.id }, 'create requested');
    wakeSubmitter();
    const settled = await waitForOutcome(ports, record, deadline);
    // The twin was deleted: its process died before the task was sent or visible. This request creates it again.
    if (!settled) continue;
    const isSameInput = settled.inputHash === hash;
    if (isVisible(settled)) return { kind: isSameInput ? 'success' : 'conflict', task: settled };
    if (settled.refusal && isSameInput) return { kind: 'refused', failure: settled.refusal };
    // The twin had another input and was refused, which freed the key.
  }
}

const QUEUE_FULL: TaskFailure = {
  code: 'RATE_LIMITED',
  providerCode: null,
  message: 'The queue is full. Nothing was stored. Try again in a few minutes.',
};

/**
 * Whether a new task of this owner would wait longer than `queueLimit`. Owners are served round robin, so an owner without
 * queued tasks is never refused.
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
  const message = `At most ${cap.limit} tasks may be created in ${cap.windowMs / 1000} s. Nothing was stored.`;
  return new RequestError('RATE_LIMITED', message, retryAfterMs);
}

/** Whether the idempotencyKey is in use. */
async function isKnown(
  { store }: TaskPorts,
  owner: string,
  { idempotencyKey }: ValidInput,
): Promise<boolean> {
  return idempotencyKey !== null && (await store.getByKey(owner, idempotencyKey)) !== null;
}

/** The task once it is settled, or visible after the deadline; null if it was deleted meanwhile. */
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
    if (left <= 0 || pendingCreates.hasEnded()) return makeVisible(ports, record.id);
    const settled = await pendingCreates.wait(record.id, Math.min(left, timings.outcomeLook));
    if (settled) return settled;
    record = await store.get(record.id);
  }
  return record;
}

async function makeVisible({ store }: TaskPorts, id: string): Promise<TaskRecord | null> {
  const visible = await writeTask(store, id, (record) =>
    isVisible(record) || record.refusal ? null : { save: record },
  );
  return visible ?? store.get(id);
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

/** Equal for inputs that lead to the same create call. */
function hashOf(input: TaskInput): string {
  const { prompt, imageUrl, endImageUrl, promptOptimizer } = input;
  return createHash('sha256')
    .update(JSON.stringify([MODEL, prompt, imageUrl, endImageUrl, promptOptimizer]))
    .digest('base64url');
}

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
