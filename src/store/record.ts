import type { Insertable, Selectable, Updateable } from 'kysely';
import type { VideoOptions } from '../models/define-model.ts';
import { DEFAULT_MODEL } from '../models/index.ts';
import { variantOf } from '../tasks/recent-tasks.ts';
import type { TaskFailure, ProviderWords } from '../tasks/failure.ts';
import { isVisible, type VisibleRecord, type TaskRecord, type TimelineEntry } from '../tasks/task.ts';
import type { Video } from '../tasks/video.ts';
import type { TaskTable } from './schema.ts';

type TaskRow = Selectable<TaskTable>;

/** All columns of a record. Every write ends the lease of its check. */
export function toRow(record: TaskRecord): Insertable<TaskTable> {
  const { promptOptimizer } = record;
  return {
    id: record.id,
    owner: record.owner,
    model: record.model,
    prompt: record.prompt,
    image_url: record.imageUrl,
    end_image_url: record.endImageUrl,
    provider: record.provider,
    options: JSON.stringify(record.options),
    variant: variantOf(record.options),
    prompt_optimizer: promptOptimizer === null ? null : Number(promptOptimizer),
    created_at: record.createdAt,
    input_hash: record.inputHash,
    ...mutableColumns(record),
  };
}

/** The columns that a write may change. The others hold the client's input and never change. */
export function mutableColumns(record: TaskRecord) {
  return {
    state: record.state,
    revision: record.revision,
    videos: JSON.stringify(record.videos),
    failure: toJson(record.failure),
    provider_task_id: record.providerTaskId,
    credits_consumed: record.creditsConsumed,
    updated_at: record.updatedAt,
    completed_at: record.completedAt,
    expected_at: record.expectedAt,
    timeline: JSON.stringify(record.timeline),
    idempotency_key: record.idempotencyKey,
    submit_lease_by: record.submitLeaseBy,
    submit_lease_until: record.submitLeaseUntil,
    ...submitColumns(record),
    not_now_count: record.notNowCount,
    not_now_since: record.notNowSince,
    marked_at: record.markedAt,
    unknown_since: record.unknownSince,
    refusal: toJson(record.refusal),
    candidate_provider_task_id: record.unverifiedProviderTaskId,
    last_words: toJson(record.lastWords),
    next_check_at: record.nextCheckAt,
    check_lease_until: null,
    archive_at: record.archiveAt,
    version: record.version,
  } satisfies Updateable<TaskTable>;
}

/** Version 0.1.0 may run on the same store. It would send any task to the default model, so it must find no other one due. */
const NEVER = Number.MAX_SAFE_INTEGER;

function submitColumns({ model, submitAt }: TaskRecord): { submit_at: number; send_at: number | null } {
  return model === DEFAULT_MODEL.name
    ? { submit_at: submitAt, send_at: null }
    : { submit_at: NEVER, send_at: submitAt };
}

export function toRecord(row: TaskRow): TaskRecord {
  return {
    id: row.id,
    owner: row.owner,
    state: row.state,
    revision: toNumber(row.revision),
    model: row.model,
    prompt: row.prompt,
    imageUrl: row.image_url,
    endImageUrl: row.end_image_url,
    provider: row.provider,
    options: JSON.parse(row.options) as VideoOptions,
    promptOptimizer: row.prompt_optimizer === null ? null : row.prompt_optimizer === 1,
    videos: JSON.parse(row.videos) as readonly Video[],
    failure: failureOf(row.failure),
    providerTaskId: row.provider_task_id,
    creditsConsumed: row.credits_consumed,
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    completedAt: toNumber(row.completed_at),
    expectedAt: toNumber(row.expected_at),
    timeline: JSON.parse(row.timeline) as readonly TimelineEntry[],
    idempotencyKey: row.idempotency_key,
    inputHash: row.input_hash,
    submitLeaseBy: row.submit_lease_by,
    submitLeaseUntil: toNumber(row.submit_lease_until),
    // SQLite stores of earlier versions may hold fractions, which PostgreSQL rejects.
    submitAt: Math.round(Number(row.send_at ?? row.submit_at)),
    notNowCount: row.not_now_count,
    notNowSince: toNumber(row.not_now_since),
    markedAt: toNumber(row.marked_at),
    unknownSince: toNumber(row.unknown_since),
    refusal: failureOf(row.refusal),
    unverifiedProviderTaskId: row.candidate_provider_task_id,
    lastWords: fromJson(row.last_words) as ProviderWords | null,
    nextCheckAt: toNumber(row.next_check_at),
    checkLeaseUntil: toNumber(row.check_lease_until),
    archiveAt: toNumber(row.archive_at),
    version: Number(row.version),
  };
}

/** Converts a row that was selected by its revision. */
export function toVisible(row: TaskRow): VisibleRecord {
  const record = toRecord(row);
  if (!isVisible(record)) throw new Error(`task ${record.id} was read as visible but has no revision`);
  return record;
}

function toNumber(value: number | string | null): number | null {
  return value === null ? null : Number(value);
}

function toJson(value: object | null): string | null {
  return value && JSON.stringify(value);
}

/** The failure in its column. */
export function failureOf(text: string | null): TaskFailure | null {
  return fromJson(text) as TaskFailure | null;
}

function fromJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
