import { sql, type Kysely } from 'kysely';

/**
 * Has PostgreSQL collect statistics of our tables that have none: after a restore, a copy or a migration it would read whole
 * tables until its autovacuum comes to them. Takes seconds at most; a role that may not do it only gets a warning.
 */
export async function collectStatistics<T>(db: Kysely<T>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select distinct wanted.name from (values
      ('tasks', to_regclass('tasks')), ('tasks', to_regclass('tasks_listed')),
      ('slots', to_regclass('slots')), ('uploads', to_regclass('uploads'))
    ) as wanted (name, relation)
    join pg_class on pg_class.oid = wanted.relation
    join pg_namespace on pg_namespace.oid = relnamespace
    where not pg_is_in_recovery() and not exists (select from pg_stats where schemaname = nspname and tablename = relname)`.execute(
    db,
  );
  for (const { name } of rows) await sql`analyze ${sql.table(name)}`.execute(db);
}
