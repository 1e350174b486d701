import type { Kysely, Migration } from 'kysely';

/** What the provider last said of a task without moving or ending it, as JSON. */
export const lastWordsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('tasks').addColumn('last_words', 'text').execute();
  },
};
