import { join } from 'node:path';
import { openSqlite } from '../../src/store/sqlite.ts';
import { createTaskStore } from '../../src/store/task-store.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { AnnouncedRecord } from '../../src/tasks/task.ts';
import { temporaryDir } from '../support/gateway.ts';
import { onTestEnd } from '../support/leftovers.ts';
import { countWalCommits } from './wal-commits.ts';

/** A real store that is open; closed at the end of the test. */
export interface Opened {
  readonly store: TaskStore;
  /** Every list of changes that it told, in order. */
  readonly told: readonly (readonly AnnouncedRecord[])[];
  /** Closes it and opens another one on the same data, as the next process would. */
  reopen(): Promise<Opened>;
  /** For those who open many in one test. */
  close(): Promise<void>;
  /** How many transactions were committed on its data so far. */
  commits(): number;
}

export interface StoreKind {
  readonly name: string;
  /** Opens an empty store. `onChanges` is called with every list of changes, after it was added to `told`. */
  open(onChanges?: OnChanges): Promise<Opened>;
}

type OnChanges = (changes: readonly AnnouncedRecord[]) => void;

/** Every kind of store; what is promised of a store is promised of each. */
export const STORES: readonly StoreKind[] = [
  { name: 'SQLite', open: async (onChanges) => openIn(await temporaryDir(), onChanges) },
];

async function openIn(dataDir: string, onChanges?: OnChanges): Promise<Opened> {
  const told: (readonly AnnouncedRecord[])[] = [];
  const store = createTaskStore(await openSqlite(dataDir), (changes) => {
    told.push(changes);
    onChanges?.(changes);
  });
  onTestEnd(() => store.close());
  return {
    store,
    told,
    async reopen() {
      await store.close();
      return openIn(dataDir, onChanges);
    },
    close: () => store.close(),
    commits: () => countWalCommits(join(dataDir, 'kineograph.db')),
  };
}
