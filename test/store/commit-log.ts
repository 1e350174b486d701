import { queryDatabase } from '../support/postgres-database.ts';

const TABLES = ['tasks', 'slots', 'counters', 'secrets'];

/** Has a PostgreSQL database of ours remember each transaction that wrote something and was committed. */
export async function logCommits(url: string): Promise<void> {
  await queryDatabase(
    url,
    `create table if not exists commits (id xid8 primary key);
     truncate commits;
     create or replace function log_commit() returns trigger language plpgsql as $$
       begin
         insert into commits values (pg_current_xact_id()) on conflict do nothing;
         return null;
       end $$;
     ${TABLES.map((table) => `create or replace trigger log_commit after insert or update or delete on ${table} execute function log_commit();`).join('\n')}`,
  );
}

/** How many there were so far. */
export async function countCommits(url: string): Promise<number> {
  const [row] = await queryDatabase(url, 'select count(*) from commits');
  return Number(row?.['count']);
}
