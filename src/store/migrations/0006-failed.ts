import { sql, type Kysely, type Migration } from 'kysely';

/** A way to the tasks that failed first, beside `tasks_done`: those that ended long ago may be deleted. */
export const failedMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`create index tasks_failed on tasks (completed_at) where state = 'FAIL'`.execute(db);
  },
};
