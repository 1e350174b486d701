import { sql, type Kysely, type Migration } from 'kysely';

/**
 * Makes provider ids unique. The task that received an id as the answer to its create call keeps it, otherwise the oldest one.
 * The others get their own id as a suffix, which matches no lookup.
 */
export const providerIdsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`
      update tasks set provider_task_id = provider_task_id || '#' || id, version = version + 1
      where id in (
        select id from (
          select id, row_number() over (
            partition by provider_task_id
            order by case when timeline like '%"CREATE_ANSWER"%' then 0 else 1 end, created_at, id
          ) as place
          from tasks
          where provider_task_id in (
            select provider_task_id from tasks where provider_task_id is not null
            group by provider_task_id having count(*) > 1
          )
        ) as sharing
        where place > 1
      )`.execute(db);
    await db.schema.dropIndex('tasks_by_provider_id').execute();
    await sql`create unique index tasks_by_provider_id on tasks (provider_task_id) where provider_task_id is not null`.execute(
      db,
    );
  },
};
