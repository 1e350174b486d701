import type { ColumnType, Generated } from 'kysely';
import type { Image } from '../images/image.ts';
import type { TaskState } from '../tasks/task.ts';

/** 64 bits. Some drivers return it as a string. */
type Integer = ColumnType<number | string, number, number | string>;
type NullableInteger = ColumnType<number | string | null, number | null, number | null>;

/** On both dialects, times are ms since the epoch, booleans are 0 or 1, and JSON is text. */
export interface TaskTable {
  readonly id: string;
  readonly owner: string;
  readonly state: TaskState;
  readonly revision: NullableInteger;
  readonly model: string;
  readonly prompt: string;
  readonly image_url: string;
  readonly end_image_url: string | null;
  readonly provider: string;
  /** `VideoOptions` as JSON. */
  readonly options: string;
  /** `variantOf` the options. */
  readonly variant: string;
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
  /** Replaces `submit_at` for models that version 0.1.0 cannot send. */
  readonly send_at: NullableInteger;
  readonly not_now_count: number;
  readonly not_now_since: NullableInteger;
  readonly marked_at: NullableInteger;
  /** The attempt that set the mark. Not part of a record. */
  readonly marked_by: string | null;
  readonly unknown_since: NullableInteger;
  readonly refusal: string | null;
  readonly candidate_provider_task_id: string | null;
  readonly last_words: string | null;
  readonly next_check_at: NullableInteger;
  /** Every write of the record clears it. Not part of a record. */
  readonly check_lease_until: NullableInteger;
  /** The next attempt to copy the videos, once there are some, or the end of a claim on that. */
  readonly archive_at: NullableInteger;
  readonly version: Integer;
}

/** Rate slots: one row for each call to the provider that counts against a limit. */
export interface SlotTable {
  readonly id: Generated<number>;
  readonly kind: 'create' | 'query';
  readonly provider: string;
  readonly owner: string;
  readonly taken_at: Integer;
}

/** One row for each owner and image. */
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

/** One row for each video that has a copy, or an object reserved for one. */
export interface VideoCopyTable {
  readonly task_id: string;
  readonly place: number;
  readonly object: string;
  readonly sha256: string;
  readonly bytes: Integer;
  /** 0 while the object is only reserved. */
  readonly stored_at: Integer;
  /** 1 while the copy is to be deleted. A reserved object is deleted unless its copy is saved. */
  readonly is_doomed: number;
}

export interface Database {
  readonly tasks: TaskTable;
  readonly slots: SlotTable;
  readonly counters: { readonly name: 'revision' | 'written_at' | 'archive_bytes'; readonly value: Integer };
  readonly secrets: { readonly name: string; readonly value: string };
  readonly uploads: UploadTable;
  readonly video_copies: VideoCopyTable;
}

/** The store does not have the schema of this version. The message says what to do. */
export class StoreSchemaError extends Error {
  override readonly name = 'StoreSchemaError';
}
