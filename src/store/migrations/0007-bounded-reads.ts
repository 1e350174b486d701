import { sql, type Kysely, type Migration } from 'kysely';

/** Indexes for what would otherwise read the history of an owner, or all refusals of a day. */
export const boundedReadsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    // An expression: a query that has it as well cannot be led to another index of the owner by what statistics say.
    await sql`create index tasks_listed on tasks ((owner || ''), state, created_at, id) where revision is not null`.execute(
      db,
    );
    await sql`create index tasks_refused on tasks (updated_at) where refusal is not null`.execute(db);
  },
};
