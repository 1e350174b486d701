import { expect } from 'vitest';
import type { KyselyPlugin } from 'kysely';
import type { ArchiveStore } from '../../src/archive/archive-store.ts';
import type { UploadStore } from '../../src/images/upload.ts';
import type { Connections } from '../../src/store/connections.ts';
import { openConnections, type StoreLocation } from '../../src/store/open-connections.ts';
import { createTaskStore } from '../../src/store/store.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { quickDir } from '../kit/gateway.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { createQueue, onTestEnd, recordFailure, type Queue } from '../kit/waits.ts';

type OnChanges = (changes: readonly VisibleRecord[]) => void;

/** An open store; closed at the end of the test. */
export interface Opened {
  readonly store: TaskStore & UploadStore & ArchiveStore;
  readonly connections: Connections;
  /** Every published list of changes, in order. */
  readonly told: readonly (readonly VisibleRecord[])[];
  /** Closes the store and opens another one on the same data, like the next process. */
  reopen(): Promise<Opened>;
  /** How many transactions it has committed. */
  commits(): number;
}

interface StoreKind {
  readonly name: string;
  /** Opens an empty store. `onChanges` receives every list of changes after it was added to `told`. */
  open(onChanges?: OnChanges): Promise<Opened>;
}

/** Every kind of store. Each keeps every promise of a task store. */
export const STORES: readonly StoreKind[] = [
  {
    name: 'SQLite',
    async open(onChanges) {
      return openAt({ kind: 'sqlite', dataDir: await quickDir() }, onChanges);
    },
  },
  {
    name: 'PostgreSQL',
    async open(onChanges) {
      return openAt({ kind: 'postgres', url: await temporaryDatabase(), readers: 5 }, onChanges);
    },
  },
];

/** The number of published lists and the newest revision, once that is published: a shared store answers before it publishes. */
export async function toldSoFar({ store, told }: Pick<Opened, 'store' | 'told'>): Promise<[number, number]> {
  const newest = await store.newestRevision();
  await expect.poll(() => told.at(-1)?.at(-1)?.revision ?? 0, { timeout: 30_000 }).toBe(newest);
  return [told.length, newest];
}

/** For trouble that no test expects. */
export function report(error: unknown): void {
  recordFailure(String(error));
}

async function openAt(location: StoreLocation, onChanges?: OnChanges): Promise<Opened> {
  const told: (readonly VisibleRecord[])[] = [];
  const connections = await openConnections(location, { mayMigrate: true, onError: report });
  const publish = (changes: readonly VisibleRecord[]): void => {
    told.push(changes);
    onChanges?.(changes);
  };
  const audience = { publish, size: () => 1, restart: () => undefined };
  let count = 0;
  const commits = { committed: () => void (count += 1), failed: () => undefined };
  const store = createTaskStore(connections, { audience, commits, onError: report });
  await store.follow();
  onTestEnd(() => store.close());
  return {
    store,
    connections,
    told,
    async reopen() {
      await store.close();
      return openAt(location, onChanges);
    },
    commits: () => count,
  };
}

/** One of several stores on one database, as each process has its own. */
export interface Replica {
  readonly store: TaskStore & ArchiveStore;
  /** Every change that it told, in order. */
  readonly told: readonly VisibleRecord[];
  /** Resolves when it has told this revision. */
  tells(revision: number): Promise<unknown>;
  /** A value for each time that it heard of the commits of others, beginning with the one for those before it listened. */
  readonly wakes: Queue<null>;
  /** How many statements it has read with so far. */
  reads(): number;
  /** How many listen to what it tells; 1 at first. */
  listeners: number;
}

/** Opens a store that counts what it does; closed at the end of the test. */
export async function openReplica(url: string, listenUrl: string | null = null): Promise<Replica> {
  const told: VisibleRecord[] = [];
  const changes = createQueue<VisibleRecord>('a change');
  const wakes = createQueue<null>('a wake-up');
  let reads = 0;
  const location = { kind: 'postgres', url, listenUrl, readers: 3 } as const;
  const connections = await openConnections(location, { mayMigrate: true, onError: report });
  const counting: KyselyPlugin = {
    transformQuery({ node }) {
      reads += 1;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  const audience = {
    publish(page: readonly VisibleRecord[]) {
      told.push(...page);
      page.forEach(changes.push);
    },
    size: () => replica.listeners,
    restart: () => {
      report('the store was set back');
    },
  };
  const listen: Connections['listen'] = ({ rolledBack, wake }) => {
    connections.listen({
      rolledBack,
      wake() {
        wake();
        wakes.push(null);
      },
    });
  };
  const reader = connections.reader.withPlugin(counting);
  const replica: Replica = {
    store: createTaskStore({ ...connections, reader, listen }, { audience, onError: report }),
    told,
    tells: (revision) => changes.take((change) => change.revision === revision),
    wakes,
    reads: () => reads,
    listeners: 1,
  };
  onTestEnd(() => replica.store.close());
  return replica;
}
