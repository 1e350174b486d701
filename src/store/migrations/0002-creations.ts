import { sql, type Kysely, type Migration } from 'kysely';

/** Extends the index to hidden tasks, because caps count them. */
export const creationsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.dropIndex('tasks_by_creation').execute();
    await sql`create index tasks_by_creation on tasks (owner, created_at, id)`.execute(db);
  },
};
