import { Client } from 'pg';
import { expect, it } from 'vitest';
import { onTestEnd } from '../support/leftovers.ts';
import { openTaskStore } from '../support/open-store.ts';
import { queryDatabase, temporaryDatabase } from '../support/postgres-database.ts';
import { named } from '../support/waits.ts';
import { idsOf, insertVisible, takeTurns } from './records.ts';

const TOUCH = 'update tasks set prompt = prompt where id = $1';

/** Somebody else who writes to the same database, in a transaction of their own. */
async function begin(url: string): Promise<Client> {
  const client = new Client(url);
  await client.connect();
  onTestEnd(() => client.end());
  await client.query('begin');
  return client;
}

/** Fulfilled when somebody's statement waits for another one's transaction. */
async function untilSomebodyWaits(url: string): Promise<void> {
  const waiting =
    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  while ((await queryDatabase(url, waiting)).length === 0);
}

it('a write that PostgreSQL breaks off, since it and another one wait for each other, is done anew', async () => {
  const url = await temporaryDatabase();
  const store = await openTaskStore({ kind: 'postgres', url, readers: 2 });
  onTestEnd(() => store.close());
  const [first, second] = [await insertVisible(store), await insertVisible(store)];

  const other = await begin(url);
  await other.query(TOUCH, [second.id]);
  // Marks the first task, and waits for the second one.
  const turns = takeTurns(store, { limit: 2 });
  await named('a write that waits', untilSomebodyWaits(url));
  // Whoever has waited longer is broken off.
  await other.query(TOUCH, [first.id]);
  await other.query('commit');

  expect(idsOf((await turns).records)).toEqual([first.id, second.id]);
});
