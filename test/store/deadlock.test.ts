import { Client } from 'pg';
import { expect, it } from 'vitest';
import { onTestEnd } from '../support/leftovers.ts';
import { openTaskStore } from '../support/open-store.ts';
import { temporaryDatabase } from '../support/postgres-database.ts';
import { named } from '../support/waits.ts';
import { NOW, idsOf, insertVisible, claimSubmissions } from './records.ts';
import { onceSomebodyWaits } from './somebody-waits.ts';

const touch = (id: string): string => `update tasks set prompt = prompt where id = '${id}'`;

/** Somebody else who writes to the same database, in a transaction of their own. */
async function begin(url: string): Promise<Client> {
  const client = new Client(url);
  await client.connect();
  onTestEnd(() => client.end());
  await client.query('begin');
  return client;
}

it('a write that PostgreSQL breaks off, since it and another one wait for each other, is done anew', async () => {
  const url = await temporaryDatabase();
  const store = await openTaskStore({ kind: 'postgres', url, readers: 2 });
  onTestEnd(() => store.close());
  const first = await insertVisible(store, { createdAt: NOW - 1 });
  const second = await insertVisible(store);

  const other = await begin(url);
  await other.query(touch(second.id));
  // Marks the first task, and waits for the second one.
  const turns = claimSubmissions(store, { limit: 2 });
  // In the server, at once: after a second PostgreSQL looks whether those who wait wait for each other, and breaks off the one
  // that began first.
  await named('both to have waited', other.query(onceSomebodyWaits(`${touch(first.id)};`)));
  await other.query('commit');

  expect(idsOf((await turns).records)).toEqual([first.id, second.id]);
});
