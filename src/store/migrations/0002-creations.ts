import { sql, type Kysely, type Migration } from 'kysely';

/** What an owner created of late is counted for the caps, hidden tasks included. */
export const creationsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.dropIndex('tasks_by_creation').execute();
    await sql`create index tasks_by_creation on tasks (owner, created_at, id)`.execute(db);
  },
};
