import { sql, type Kysely, type Migration } from 'kysely';

/** The attempt that set a mark, so that a retry finds marks whose commit it never heard of. */
export const attemptsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('tasks').addColumn('marked_by', 'text').execute();
    await sql`create index tasks_marked on tasks (marked_by) where state = 'SUBMITTING' and marked_at is not null`.execute(
      db,
    );
  },
};
