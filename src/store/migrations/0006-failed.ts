import { sql, type Kysely, type Migration } from 'kysely';

/** An index on the oldest failed tasks, for the deletion of tasks that ended long ago. */
export const failedMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`create index tasks_failed on tasks (completed_at) where state = 'FAIL'`.execute(db);
  },
};
