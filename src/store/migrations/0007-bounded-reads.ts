import { sql, type Kysely, type Migration } from 'kysely';

/** Indexes for queries that would read the whole history of an owner, or all refused tasks of a day. */
export const boundedReadsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    // An expression, so that statistics cannot make the planner choose another index of the owner.
    await sql`create index tasks_listed on tasks ((owner || ''), state, created_at, id) where revision is not null`.execute(
      db,
    );
    await sql`create index tasks_refused on tasks (updated_at) where refusal is not null`.execute(db);
  },
};
