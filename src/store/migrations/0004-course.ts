import { sql, type Kysely, type Migration } from 'kysely';

/** The timeline (empty for existing tasks), the expected completion, and an index on the newest successes. */
export const courseMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable('tasks')
      .addColumn('timeline', 'text', (column) => column.notNull().defaultTo('[]'))
      .execute();
    await db.schema.alterTable('tasks').addColumn('expected_at', 'bigint').execute();
    await sql`create index tasks_done on tasks (completed_at) where state = 'SUCCESS'`.execute(db);
  },
};
