import { readFileSync } from 'node:fs';
import { queryDatabase } from '../kit/store.ts';

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

const HEADER = 32;
const FRAME_HEADER = 24;

/**
 * How many commits the write-ahead log of a SQLite database holds. The last page of every commit is stored with the
 * size that the database has after it, every other page with 0 (https://www.sqlite.org/fileformat2.html#walformat).
 */
export function countWalCommits(databasePath: string): number {
  const wal = readFileSync(`${databasePath}-wal`);
  if (wal.length < HEADER) return 0;
  const pageSize = wal.readUInt32BE(8);
  const salt = wal.subarray(16, 24);
  let commits = 0;
  for (let at = HEADER; at + FRAME_HEADER + pageSize <= wal.length; at += FRAME_HEADER + pageSize) {
    // Another salt: left over from before the log was begun anew.
    if (!wal.subarray(at + 8, at + 16).equals(salt)) break;
    if (wal.readUInt32BE(at + 4) > 0) commits += 1;
  }
  return commits;
}
