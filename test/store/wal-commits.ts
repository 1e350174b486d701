import { readFileSync } from 'node:fs';

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
