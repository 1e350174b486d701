import { sql, type Kysely, type Migration } from 'kysely';
import type { Dialect } from '../connections.ts';

/** Tasks, rate slots, the revision counter and the secrets. */
export const tasksMigration = (dialect: Dialect): Migration => ({
  async up(db: Kysely<unknown>) {
    await createTasks(db, dialect);
    await createTaskIndexes(db);
    await createSlots(db, dialect);
    await db.schema
      .createTable('counters')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('value', 'bigint', (column) => column.notNull())
      .execute();
    await sql`insert into counters (name, value) values ('revision', 0)`.execute(db);
    await db.schema
      .createTable('secrets')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('value', 'text', (column) => column.notNull())
      .execute();
  },
});

async function createSlots(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  await db.schema
    .createTable('slots')
    .addColumn('id', dialect === 'sqlite' ? 'integer' : 'bigserial', (column) =>
      dialect === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey(),
    )
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('taken_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('slots_window').on('slots').columns(['kind', 'taken_at']).execute();
  await db.schema.createIndex('slots_by_owner').on('slots').columns(['kind', 'owner', 'id']).execute();
}

async function createTasks(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  // Bytewise, as JavaScript compares cursors: pages break ties by id.
  const id = dialect === 'sqlite' ? 'text' : sql`text collate "C"`;
  await db.schema
    .createTable('tasks')
    .addColumn('id', id, (column) => column.primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('revision', 'bigint', (column) => column.unique())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('prompt', 'text', (column) => column.notNull())
    .addColumn('image_url', 'text', (column) => column.notNull())
    .addColumn('end_image_url', 'text')
    .addColumn('prompt_optimizer', 'integer')
    .addColumn('videos', 'text', (column) => column.notNull())
    .addColumn('failure', 'text')
    .addColumn('provider_task_id', 'text')
    .addColumn('credits_consumed', 'double precision')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('completed_at', 'bigint')
    .addColumn('idempotency_key', 'text')
    .addColumn('input_hash', 'text', (column) => column.notNull())
    .addColumn('submit_lease_by', 'text')
    .addColumn('submit_lease_until', 'bigint')
    .addColumn('submit_at', 'bigint', (column) => column.notNull())
    .addColumn('not_now_count', 'integer', (column) => column.notNull())
    .addColumn('not_now_since', 'bigint')
    .addColumn('marked_at', 'bigint')
    .addColumn('unknown_since', 'bigint')
    .addColumn('refusal', 'text')
    .addColumn('candidate_provider_task_id', 'text')
    .addColumn('next_check_at', 'bigint')
    .addColumn('check_lease_until', 'bigint')
    .addColumn('version', 'bigint', (column) => column.notNull())
    .execute();
}

/** Partial indexes, so that a finished task is in the first three only. */
async function createTaskIndexes(db: Kysely<unknown>): Promise<void> {
  await sql`create index tasks_by_creation on tasks (owner, created_at, id) where revision is not null`.execute(
    db,
  );
  await sql`create index tasks_by_revision on tasks (owner, revision) where revision is not null`.execute(db);
  await sql`create index tasks_by_provider_id on tasks (provider_task_id) where provider_task_id is not null`.execute(
    db,
  );
  await sql`create unique index tasks_idempotency_key on tasks (owner, idempotency_key) where idempotency_key is not null`.execute(
    db,
  );
  await sql`create index tasks_due on tasks (next_check_at) where next_check_at is not null`.execute(db);
  await sql`create index tasks_waiting on tasks (owner, created_at, id) where state = 'SUBMITTING' and marked_at is null`.execute(
    db,
  );
  await sql`create index tasks_hidden on tasks (created_at) where revision is null`.execute(db);
}
