import { Client } from 'pg';
import { expect, it } from 'vitest';
import { onTestEnd } from '../support/leftovers.ts';
import { openTaskStore } from '../support/open-store.ts';
import { temporaryDatabase } from '../support/postgres-database.ts';
import { named } from '../support/waits.ts';
import { NOW, idsOf, insertVisible, takeTurns } from './records.ts';
import { onceSomebodyWaits } from './somebody-waits.ts';

const touch = (id: string): string => `update tasks set prompt = prompt where id = '${id}'`;

/** Somebody else who writes to the same database, in a transaction of their own. */
async function begin(url: string): Promise<Client> {
  const client = new Client(url);
  await client.connect();
  onTestEnd(() => client.end());
  // The store's transaction is the one to be broken off, however long its own look takes on a busy machine.
  await client.query("begin; set local deadlock_timeout = '1min'");
  return client;
}

it('a write that PostgreSQL breaks off, since it and another one wait for each other, is done anew', async () => {
  const url = await temporaryDatabase();
  // It looks late enough for the other one to wait by then.
  const store = await openTaskStore({
    kind: 'postgres',
    url: `${url}?options=-c%20deadlock_timeout=2s`,
    readers: 2,
  });
  onTestEnd(() => store.close());
  const first = await insertVisible(store, { createdAt: NOW - 1 });
  const second = await insertVisible(store);

  const other = await begin(url);
  await other.query(touch(second.id));
  // Marks the first task, and waits for the second one.
  const turns = takeTurns(store, { limit: 2 });
  // In the server, at once: PostgreSQL breaks off the one whose deadlock_timeout is over first.
  await named('both to have waited', other.query(onceSomebodyWaits(`${touch(first.id)};`)));
  await other.query('commit');

  expect(idsOf((await turns).records)).toEqual([first.id, second.id]);
});
