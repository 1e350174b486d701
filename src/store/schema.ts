import type { ColumnType, Generated } from 'kysely';
import type { Image } from '../images/image.ts';
import type { TaskState } from '../tasks/task.ts';

/** 64 bits; some drivers give it as a string. */
type Integer = ColumnType<number | string, number, number | string>;
type NullableInteger = ColumnType<number | string | null, number | null, number | null>;

/** Times are ms since the epoch, booleans 0 or 1, JSON is text: the same on every dialect. */
export interface TaskTable {
  readonly id: string;
  readonly owner: string;
  readonly state: TaskState;
  readonly revision: NullableInteger;
  readonly model: string;
  readonly prompt: string;
  readonly image_url: string;
  readonly end_image_url: string | null;
  readonly prompt_optimizer: number | null;
  readonly videos: string;
  readonly failure: string | null;
  readonly provider_task_id: string | null;
  readonly credits_consumed: number | null;
  readonly created_at: Integer;
  readonly updated_at: Integer;
  readonly completed_at: NullableInteger;
  readonly expected_at: NullableInteger;
  readonly timeline: string;
  readonly idempotency_key: string | null;
  readonly input_hash: string;
  readonly submit_lease_by: string | null;
  readonly submit_lease_until: NullableInteger;
  readonly submit_at: Integer;
  readonly not_now_count: number;
  readonly not_now_since: NullableInteger;
  readonly marked_at: NullableInteger;
  /** Not part of a record: the attempt that set the mark. */
  readonly marked_by: string | null;
  readonly unknown_since: NullableInteger;
  readonly refusal: string | null;
  readonly candidate_provider_task_id: string | null;
  readonly last_words: string | null;
  readonly next_check_at: NullableInteger;
  /** Not part of a record: every write of the record ends it. */
  readonly check_lease_until: NullableInteger;
  readonly version: Integer;
}

/** One row for each call to the provider that a limit counts. */
export interface SlotTable {
  readonly id: Generated<number>;
  readonly kind: 'create' | 'query';
  readonly owner: string;
  readonly taken_at: Integer;
}

interface CounterTable {
  readonly name: 'revision' | 'written_at';
  readonly value: Integer;
}

interface SecretTable {
  readonly name: string;
  readonly value: string;
}

/** One row for each owner and each picture that it uploaded. */
export interface UploadTable {
  readonly owner: string;
  readonly hash: string;
  readonly url: string;
  readonly content_type: Image['contentType'];
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly expires_at: Integer;
}

export interface Database {
  readonly tasks: TaskTable;
  readonly slots: SlotTable;
  readonly counters: CounterTable;
  readonly secrets: SecretTable;
  readonly uploads: UploadTable;
}

/** The store does not have the schema of this version; the message says the way out. */
export class StoreSchemaError extends Error {
  override readonly name = 'StoreSchemaError';
}
