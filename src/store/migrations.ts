import { sql, type Kysely, type Migration } from 'kysely';
import type { Dialect } from './connections.ts';

/** A migration of statements that are the same on both databases. */
const statements = (...texts: readonly string[]): Migration => ({
  async up(db: Kysely<unknown>) {
    for (const text of texts) await sql.raw(text).execute(db);
  },
});

/** Models with options. The defaults are those of the only model before; version 0.1.0 inserts without these columns. */
const MODELS = statements(
  "alter table tasks add column provider text default 'kie' not null",
  `alter table tasks add column options text not null
    default '{"durationSeconds":6,"resolution":"P1080","sound":null,"negativePrompt":null,"seed":null}'`,
  "alter table tasks add column variant text default '6/P1080/' not null",
  'alter table tasks add column send_at bigint',
  "alter table slots add column provider text default 'kie' not null",
  "create index tasks_by_variant on tasks (model, variant, completed_at) where state = 'SUCCESS'",
  'create index tasks_by_model on tasks (model, completed_at) where completed_at is not null',
);

/** How long kie.ai keeps results: 14 days, according to most of its pages. */
const PROVIDER_KEEPS_MS = 14 * 24 * 60 * 60 * 1000;

/** Copies of videos. With the default, the videos of tasks that version 0.1.0 inserts or has inserted are copied as well. */
const archive = (dialect: Dialect): Migration =>
  statements(
    'alter table tasks add column archive_at bigint default 0',
    `update tasks set archive_at = null
      where state = 'SUCCESS' and completed_at < ${Date.now() - PROVIDER_KEEPS_MS}`,
    "create index tasks_to_copy on tasks (archive_at, completed_at) where state = 'SUCCESS' and archive_at is not null",
    `create table video_copies (
      task_id ${dialect === 'sqlite' ? 'text' : 'text collate "C"'} not null, place integer not null, object text not null, sha256 text not null, bytes bigint not null,
      stored_at bigint not null, is_doomed integer default 0 not null,
      constraint video_copies_pkey primary key (task_id, place))`,
    'create index video_copies_by_object on video_copies (object)',
    'create index video_copies_by_hash on video_copies (sha256) where is_doomed = 0',
    'create index video_copies_by_age on video_copies (stored_at) where is_doomed = 0',
    'create index video_copies_doomed on video_copies (task_id) where is_doomed = 1',
    "insert into counters (name, value) values ('archive_bytes', 0)",
  );

/** Each migration runs once on a store, in order of name. A released migration is never edited. */
export const migrationsFor = (dialect: Dialect): Readonly<Record<string, Migration>> => ({
  // Ids are compared bytewise, as JavaScript compares cursors: pages break ties by id.
  '0001-tasks': statements(
    `create table tasks (
      id ${dialect === 'sqlite' ? 'text' : 'text collate "C"'} primary key, owner text not null, state text not null,
      revision bigint unique, model text not null, prompt text not null, image_url text not null, end_image_url text,
      prompt_optimizer integer, videos text not null, failure text, provider_task_id text,
      credits_consumed double precision, created_at bigint not null, updated_at bigint not null, completed_at bigint,
      idempotency_key text, input_hash text not null, submit_lease_by text, submit_lease_until bigint,
      submit_at bigint not null, not_now_count integer not null, not_now_since bigint, marked_at bigint,
      unknown_since bigint, refusal text, candidate_provider_task_id text, next_check_at bigint,
      check_lease_until bigint, version bigint not null)`,
    // Partial indexes, so that a finished task is in few of them.
    'create index tasks_by_creation on tasks (owner, created_at, id) where revision is not null',
    'create index tasks_by_revision on tasks (owner, revision) where revision is not null',
    'create index tasks_by_provider_id on tasks (provider_task_id) where provider_task_id is not null',
    'create unique index tasks_idempotency_key on tasks (owner, idempotency_key) where idempotency_key is not null',
    'create index tasks_due on tasks (next_check_at) where next_check_at is not null',
    "create index tasks_waiting on tasks (owner, created_at, id) where state = 'SUBMITTING' and marked_at is null",
    'create index tasks_hidden on tasks (created_at) where revision is null',
    `create table slots (
      id ${dialect === 'sqlite' ? 'integer primary key autoincrement' : 'bigserial primary key'},
      kind text not null, owner text not null, taken_at bigint not null)`,
    'create index slots_window on slots (kind, taken_at)',
    'create index slots_by_owner on slots (kind, owner, id)',
    'create table counters (name text primary key, value bigint not null)',
    "insert into counters (name, value) values ('revision', 0)",
    'create table secrets (name text primary key, value text not null)',
  ),
  // Caps count hidden tasks too.
  '0002-creations': statements(
    'drop index tasks_by_creation',
    'create index tasks_by_creation on tasks (owner, created_at, id)',
  ),
  // The attempt that set a mark, so that a retry finds marks whose commit it never heard of.
  '0003-attempts': statements(
    'alter table tasks add column marked_by text',
    "create index tasks_marked on tasks (marked_by) where state = 'SUBMITTING' and marked_at is not null",
  ),
  // The timeline (empty for existing tasks), the expected completion, and the newest successes.
  '0004-course': statements(
    "alter table tasks add column timeline text default '[]' not null",
    'alter table tasks add column expected_at bigint',
    "create index tasks_done on tasks (completed_at) where state = 'SUCCESS'",
  ),
  // Images uploaded to the provider.
  '0005-uploads': statements(
    `create table uploads (
      owner text not null, hash text not null, url text not null, content_type text not null, width integer not null,
      height integer not null, bytes integer not null, expires_at bigint not null,
      constraint uploads_pkey primary key (owner, hash))`,
    'create index uploads_by_url on uploads (url)',
    'create index uploads_by_expiry on uploads (expires_at)',
  ),
  // For the deletion of tasks that ended long ago.
  '0006-failed': statements("create index tasks_failed on tasks (completed_at) where state = 'FAIL'"),
  // An expression, so that statistics cannot make the planner choose another index of the owner.
  '0007-bounded-reads': statements(
    "create index tasks_listed on tasks ((owner || ''), state, created_at, id) where revision is not null",
    'create index tasks_refused on tasks (updated_at) where refusal is not null',
  ),
  // Makes provider ids unique: the task whose create call returned one keeps it, otherwise the oldest task.
  // The others get their own id as a suffix, which matches no lookup.
  '0008-provider-ids': statements(
    `update tasks set provider_task_id = provider_task_id || '#' || id, version = version + 1
      where id in (
        select id from (
          select id, row_number() over (
            partition by provider_task_id
            order by case when timeline like '%"CREATE_ANSWER"%' then 0 else 1 end, created_at, id
          ) as place
          from tasks
          where provider_task_id in (
            select provider_task_id from tasks where provider_task_id is not null
            group by provider_task_id having count(*) > 1
          )
        ) as sharing
        where place > 1
      )`,
    'drop index tasks_by_provider_id',
    'create unique index tasks_by_provider_id on tasks (provider_task_id) where provider_task_id is not null',
  ),
  // The provider's latest statement that did not change a task's state, as JSON.
  '0009-last-words': statements('alter table tasks add column last_words text'),
  '0010-models': MODELS,
  '0011-archive': archive(dialect),
});
