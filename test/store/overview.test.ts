import { expect, test } from 'vitest';
import { openConnections, type StoreLocation } from '../../src/store/open-connections.ts';
import { readOverview } from '../../src/store/stats.ts';
import { createTaskStore } from '../../src/store/store.ts';
import { quickDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { FAILURE, NOW, PROCESS, insertHidden, insertVisible } from './records.ts';

const nothing = (): void => undefined;

test.each<[string, () => Promise<StoreLocation>]>([
  ['SQLite', async () => ({ kind: 'sqlite', dataDir: await quickDir() })],
  ['PostgreSQL', async () => ({ kind: 'postgres', url: await temporaryDatabase(), readers: 1 })],
])('%s counts the unfinished work and its age', async (_name, place) => {
  const connections = await openConnections(await place(), { mayMigrate: true, onError: nothing });
  const store = createTaskStore(connections, {
    audience: { publish: nothing, size: () => 0, restart: nothing },
    onError: nothing,
  });
  onTestEnd(() => store.close());
  const look = () => readOverview(connections.reader, { create: NOW - 1000, query: NOW - 1000 });
  expect(await look()).toMatchObject({ oldestAt: null, waiting: 0, unknown: 0, checkDueAt: null });

  await insertHidden(store, { createdAt: NOW - 500, submitAt: NOW + 1 });
  await insertHidden(store, { refusal: FAILURE, markedAt: NOW });
  await insertHidden(store, { submitAt: NOW });
  const turns = { processId: PROCESS, attempt: 'one', limit: 1, windowMs: 1000, checkAfterMs: 5000 };
  await store.claimSubmissions({ ...turns, now: () => NOW });
  await insertVisible(store, { markedAt: NOW, unknownSince: NOW, nextCheckAt: NOW + 9000 });
  await insertVisible(store, { state: 'WAITING', createdAt: NOW - 900, nextCheckAt: NOW - 70 });
  await insertVisible(store, { state: 'SUCCESS', createdAt: NOW - 9000, completedAt: NOW });
  expect(await look()).toEqual({
    unfinished: { SUBMITTING: 3, WAITING: 1, QUEUING: 0, GENERATING: 0 },
    oldestAt: NOW - 900,
    waiting: 1,
    unknown: 1,
    checkDueAt: NOW - 70,
    slots: { create: 1, query: 0 },
  });
});
