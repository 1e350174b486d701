import { createHash } from 'node:crypto';
import { DEFAULT_MODEL, type ModelId } from '../models/index.ts';
import { writeTask } from './change.ts';
import { type TaskFailure, RequestError } from './failure.ts';
import { isSettled } from './pending-creates.ts';
import type { TaskPorts } from './ports.ts';
import type { ReachedCap } from './store.ts';
import { isVisible, type VisibleRecord, type TaskRecord } from './task.ts';
import { validateInput, type CreateInput, type ImageIssue, type ImageInspection } from './validate-input.ts';
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
  const { clock, log, timings } = ports;
  const elapsed = clock.elapsed ?? clock.now;
  const asked = validateInput(input);
  let deadline: number | null = null;
  for (;;) {
    // A retry joins its task, even if its image or model is gone.
    const twin = 'valid' in asked ? await twinOf(ports, owner, asked.valid) : null;
    const id = ports.newTaskId();
    const record = twin ?? (await insertNew(ports, { id, owner, input, asked, stopping }));
    if ('kind' in record) return record;
    log.info({ reqId, task: record.id, owner, isNew: record.id === id }, 'create requested');
    wakeSubmitter();
    deadline ??= elapsed() + timings.createWait;
    const settled = await waitForOutcome(ports, record, deadline);
    // The twin was deleted: its process died before the task was sent or visible. This request creates it, if it may.
    if (!settled) continue;
    const isSameInput = 'valid' in asked && settled.inputHash === hashOf(asked.valid);
    if (isVisible(settled)) return { kind: isSameInput ? 'success' : 'conflict', task: settled };
    if (settled.refusal && isSameInput) return { kind: 'refused', failure: settled.refusal };
    // The twin had another input and was refused, which freed the key.
  }
}

export type Rejected = Extract<CreateResult, { kind: 'invalid' | 'refused' }>;

interface NewTask extends Omit<CreateRequest, 'reqId'>, Pick<Process, 'stopping'> {
  readonly id: string;
  readonly asked: ReturnType<typeof validateInput>;
}

/** Stores a new task, or returns why not, or the twin that was stored meanwhile. Rejects as `createTask` does. */
async function insertNew(
  ports: TaskPorts,
  { asked, id, input, owner, stopping }: NewTask,
): Promise<TaskRecord | Rejected> {
  const checked = await checkNew(ports, owner, input, { stopping, mayFetch: true }, asked);
  if ('kind' in checked) return checked;
  const { clock, store, timings } = ports;
  if ((await isQueueFull(ports, owner)) && !(await twinOf(ports, owner, checked)))
    return { kind: 'refused', failure: QUEUE_FULL };
  const record = await store.insert(newRecord(ports, { id, owner, valid: checked }), timings.createCaps);
  if ('cap' in record) throw tooManyCreates(record, clock.now());
  return record;
}

/** The valid input, or why it creates no new task. `checked` is what `validateInput` returns. */
export async function checkNew(
  ports: TaskPorts,
  owner: string,
  input: CreateInput,
  how: ImageInspection,
  checked = validateInput(input),
): Promise<ValidInput | Rejected> {
  const id = input.model ?? DEFAULT_MODEL.id;
  if (!ports.offered.has(id)) return { kind: 'refused', failure: notOffered(id, ports.offered) };
  if ('issues' in checked) return { kind: 'invalid', issues: checked.issues };
  const issues = await inspectImages(ports, owner, checked.valid, how);
  return issues.length > 0 ? { kind: 'invalid', issues } : checked.valid;
}

function notOffered(id: ModelId, offered: ReadonlySet<string>): TaskFailure {
  const message = `This gateway does not offer ${id}. It offers ${[...offered].join(', ')}.`;
  return { code: 'MODEL_UNAVAILABLE', providerCode: null, message };
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
async function isQueueFull({ provider, store, timings }: TaskPorts, owner: string): Promise<boolean> {
  const waiting = await store.waitingByOwner();
  const mine = waiting.get(owner) ?? 0;
  if (mine === 0) return false;
  let ahead = 0;
  for (const [other, count] of waiting) ahead += other === owner ? count : Math.min(count, mine + 1);
  const { createsPerWindow, createWindow } = provider.limits;
  return (ahead / createsPerWindow) * createWindow > timings.queueLimit;
}

function tooManyCreates({ cap, freeAt }: ReachedCap, now: number): RequestError {
  const retryAfterMs = Math.max(0, freeAt - now);
  const message = `At most ${cap.limit} tasks may be created in ${cap.windowMs / 1000} s. Nothing was stored.`;
  return new RequestError('RATE_LIMITED', message, retryAfterMs);
}

/** The task that has the idempotencyKey. */
async function twinOf(
  { store }: TaskPorts,
  owner: string,
  { idempotencyKey }: ValidInput,
): Promise<TaskRecord | null> {
  return idempotencyKey === null ? null : store.getByKey(owner, idempotencyKey);
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

function newRecord(
  ports: TaskPorts,
  { id, owner, valid }: { readonly id: string; readonly owner: string; readonly valid: ValidInput },
): TaskRecord {
  const now = ports.clock.now();
  return {
    ...valid.input,
    id,
    owner,
    idempotencyKey: valid.idempotencyKey,
    inputHash: hashOf(valid),
    provider: ports.provider.name,
    state: 'SUBMITTING',
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
    checkLeaseUntil: null,
    archiveAt: 0,
    version: 0,
  };
}

/**
 * Equal for requests that ask for the same, whatever the defaults are. Without options the hash is that of version 0.1.0, so
 * that idempotency keys from before an upgrade still match.
 */
function hashOf({ asked, input }: ValidInput): string {
  const { model, prompt, imageUrl, endImageUrl, promptOptimizer } = input;
  const options: readonly unknown[] = Object.entries(asked).filter(([, value]) => value !== null);
  const request = [model, prompt, imageUrl, endImageUrl, promptOptimizer, ...options.flat()];
  return createHash('sha256').update(JSON.stringify(request)).digest('base64url');
}

async function inspectImages(
  { inspectImage }: TaskPorts,
  owner: string,
  { input: { endImageUrl, imageUrl }, model }: ValidInput,
  how: ImageInspection,
): Promise<readonly ValidationIssue[]> {
  const inspect = (url: string) => inspectImage(owner, url, model.image, how);
  const first = inspect(imageUrl);
  const last = endImageUrl === null || endImageUrl === imageUrl ? first : inspect(endImageUrl);
  const [ofFirst, ofLast] = await Promise.all([first, last]);
  return [...issuesOf('imageUrl', ofFirst), ...issuesOf('endImageUrl', endImageUrl === null ? null : ofLast)];
}

function issuesOf(field: 'imageUrl' | 'endImageUrl', issue: ImageIssue | null): readonly ValidationIssue[] {
  return issue ? [{ field, code: issue.code, message: `${field}: ${issue.message}` }] : [];
}
