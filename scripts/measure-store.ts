/**
 * What a store carries: how many visible changes a second, and what one costs the database. Run it alone on the machine:
 *   npx tsx scripts/measure-store.ts                       SQLite, and a PostgreSQL of its own
 *   DATABASE_URL=postgres://… npx tsx scripts/measure-store.ts    the same with an empty database of yours
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openConnections, type StoreLocation } from '../src/store/open-connections.ts';
import { createTaskStore } from '../src/store/store.ts';
import type { TaskStore } from '../src/tasks/store.ts';
import type { VisibleRecord } from '../src/tasks/task.ts';
import { hiddenTask } from '../test/store/records.ts';
import { queryDatabase } from '../test/kit/store.ts';
import { startPostgres } from '../test/kit/postgres-server.ts';

const SECONDS = 3;

interface Row {
  readonly store: string;
  readonly processes: number;
  readonly tasksAtOnce: number;
  readonly changesPerSecond: number;
  readonly bytesOfLogPerChange: number | null;
}

/** Changes `tasksAtOnce` tasks, each again as soon as its last change is committed, over one or several stores. */
async function measure(location: StoreLocation, processes: number, tasksAtOnce: number): Promise<Row> {
  const stores: TaskStore[] = [];
  for (let n = 0; n < processes; n += 1) stores.push(await open(location));
  await Promise.all(stores.map((store) => store.follow()));
  const tasks = await Promise.all(
    Array.from({ length: tasksAtOnce }, async (_, n) => {
      const store = stores[n % processes] ?? fail();
      return { store, task: await store.save(await store.insert(hiddenTask({ id: randomUUID() }))) };
    }),
  );
  const logBefore = await logBytes(location);
  const until = performance.now() + SECONDS * 1000;
  const began = performance.now();
  let changes = 0;
  await Promise.all(
    tasks.map(async ({ store, task }) => {
      for (let record = task; record && performance.now() < until; changes += 1)
        record = await store.save({ ...record, state: 'WAITING' });
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const logAfter = await logBytes(location);
  for (const store of stores) await store.close();
  return {
    store: location.kind,
    processes,
    tasksAtOnce,
    changesPerSecond: Math.round(changes / seconds),
    bytesOfLogPerChange:
      logBefore === null || logAfter === null ? null : Math.round((logAfter - logBefore) / changes),
  };
}

async function open(location: StoreLocation): Promise<TaskStore> {
  const onError = (error: unknown): never => {
    throw error;
  };
  const told: VisibleRecord[] = [];
  const audience = {
    publish: (changes: readonly VisibleRecord[]): void => void (told.length = changes.length),
    size: (): number => 1,
    restart: (): void => undefined,
  };
  return createTaskStore(await openConnections(location, { mayMigrate: true, onError }), {
    audience,
    onError,
  });
}

async function logBytes(location: StoreLocation): Promise<number | null> {
  if (location.kind === 'sqlite') return null;
  const [row] = await queryDatabase(location.url, "select pg_current_wal_lsn() - '0/0'::pg_lsn as bytes");
  return Number(row?.['bytes']);
}

function fail(): never {
  throw new Error('no store is open');
}

async function measureAll(location: StoreLocation, processes: readonly number[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const count of processes)
    for (const tasksAtOnce of [1, 10, 100, 1000]) rows.push(await measure(location, count, tasksAtOnce));
  return rows;
}

const dataDir = await mkdtemp(join(tmpdir(), 'kineograph-measure-'));
const { DATABASE_URL: given } = process.env;
const server = given === undefined ? await startPostgres({ isDurable: true }) : null;
try {
  const url = given ?? server?.url ?? fail();
  console.table([
    ...(await measureAll({ kind: 'sqlite', dataDir }, [1])),
    ...(await measureAll({ kind: 'postgres', url, readers: 5 }, [1, 2])),
  ]);
} finally {
  await server?.remove();
  await rm(dataDir, { recursive: true, force: true });
}
