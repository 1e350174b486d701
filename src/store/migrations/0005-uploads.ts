import { sql, type Kysely, type Migration } from 'kysely';

/** Images uploaded to the provider, by owner and content hash. */
export const uploadsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('uploads')
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addColumn('url', 'text', (column) => column.notNull())
      .addColumn('content_type', 'text', (column) => column.notNull())
      .addColumn('width', 'integer', (column) => column.notNull())
      .addColumn('height', 'integer', (column) => column.notNull())
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('uploads_pkey', ['owner', 'hash'])
      .execute();
    await sql`create index uploads_by_url on uploads (url)`.execute(db);
    await sql`create index uploads_by_expiry on uploads (expires_at)`.execute(db);
  },
};
