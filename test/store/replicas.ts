import type { KyselyPlugin } from 'kysely';
import { openConnections } from '../../src/store/open-connections.ts';
import { createTaskStore } from '../../src/store/store.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { onTestEnd, recordFailure, createQueue, type Queue } from '../kit/waits.ts';

/** One of several stores on one database, as each process has its own. */
export interface Replica {
  readonly store: TaskStore;
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
  const fail = (error: unknown): void => {
    recordFailure(String(error));
  };

  const connections = await openConnections(
    { kind: 'postgres', url, listenUrl, readers: 3 },
    { mayMigrate: true, onError: fail },
  );
  const counting = {
    transformQuery: ({ node }: Parameters<KyselyPlugin['transformQuery']>[0]) => {
      reads += 1;
      return node;
    },
    transformResult: ({ result }: Parameters<KyselyPlugin['transformResult']>[0]) => Promise.resolve(result),
  };
  const replica: Replica = {
    store: createTaskStore(
      {
        ...connections,
        reader: connections.reader.withPlugin(counting),
        listen: ({ rolledBack, wake }) => {
          connections.listen({
            rolledBack,
            wake() {
              wake();
              wakes.push(null);
            },
          });
        },
      },
      { audience: { publish, size: () => replica.listeners, restart: rolledBack }, onError: fail },
    ),
    told,
    tells: (revision) => changes.take((change) => change.revision === revision),
    wakes,
    reads: () => reads,
    listeners: 1,
  };
  onTestEnd(() => replica.store.close());
  return replica;

  function rolledBack(): void {
    fail(new Error('the store was set back'));
  }

  function publish(page: readonly VisibleRecord[]): void {
    for (const change of page) {
      told.push(change);
      changes.push(change);
    }
  }
}
