import { sql, type Kysely, type Migration } from 'kysely';

/**
 * How each task came to its states (of those that are there already nobody can tell), when it may be done, and a way to the
 * newest videos.
 */
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
