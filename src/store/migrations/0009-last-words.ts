import type { Kysely, Migration } from 'kysely';

/** The provider's latest statement that did not change a task's state, as JSON. */
export const lastWordsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('tasks').addColumn('last_words', 'text').execute();
  },
};
