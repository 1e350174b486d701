import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
import { onTestEnd } from './leftovers.ts';

/** Databases that no test uses right now; making one takes longer than most tests. */
const free: string[] = [];

/** A PostgreSQL database of the test's own in which nothing was ever stored. Returns its address. */
export async function temporaryDatabase(): Promise<string> {
  return (await borrowDatabase()).url;
}

/** The same for who needs many in one test, one after the other: `giveBack` makes it ready for the next. */
export async function borrowDatabase(): Promise<{ readonly url: string; giveBack(): Promise<void> }> {
  const url = free.pop() ?? (await createDatabase());
  let isBorrowed = true;
  const giveBack = async (): Promise<void> => {
    if (!isBorrowed) return;
    isBorrowed = false;
    await queryDatabase(url, EMPTY);
    free.push(url);
  };
  onTestEnd(giveBack);
  return { url, giveBack };
}

/** The same, and not even a table was ever made in it. */
export async function emptyDatabase(): Promise<string> {
  const url = await createDatabase();
  onTestEnd(async () => {
    await queryDatabase(inject('postgresUrl'), `drop database ${nameOf(url)} with (force)`);
  });
  return url;
}

/** Ends what a test left open, and takes out all that was put in; the tables stay where there are any. */
const EMPTY = `
  select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid();
  do $$ begin
    if to_regclass('tasks') is not null then
      truncate tasks, slots, secrets, uploads restart identity;
      update counters set value = 0;
    end if;
  end $$;`;

async function createDatabase(): Promise<string> {
  const name = `kineograph_${randomUUID().replaceAll('-', '')}`;
  await queryDatabase(inject('postgresUrl'), `create database ${name}`);
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  return url.href;
}

function nameOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

/** Runs statements in a database over a connection of their own; returns the rows of the last one. */
export async function queryDatabase(
  url: string,
  statement: string,
): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(statement);
    return rows;
  } finally {
    await client.end();
  }
}
