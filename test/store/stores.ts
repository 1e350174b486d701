import { join } from 'node:path';
import type { StoreLocation } from '../../src/store/open-connections.ts';
import type { UploadStore } from '../../src/images/upload.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { quickDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { openTaskStore, borrowDatabase } from '../kit/store.ts';
import { countCommits, countWalCommits, logCommits } from './commit-log.ts';

/** An open store; closed at the end of the test. */
export interface Opened {
  readonly store: TaskStore & UploadStore;
  /** Every published list of changes, in order. */
  readonly told: readonly (readonly VisibleRecord[])[];
  /** Closes the store and opens another one on the same data, like the next process. */
  reopen(): Promise<Opened>;
  /** For tests that open many stores. */
  close(): Promise<void>;
  /** The number of committed transactions that wrote something. */
  commits(): Promise<number>;
}

export interface StoreKind {
  readonly name: string;
  /** Opens an empty store. `onChanges` receives every list of changes after it was added to `told`. */
  open(onChanges?: OnChanges): Promise<Opened>;
}

type OnChanges = (changes: readonly VisibleRecord[]) => void;
type CountCommits = () => Promise<number>;

/** Every kind of store. Each keeps every promise of a task store. */
export const STORES: readonly StoreKind[] = [
  { name: 'SQLite', open: openSqlite },
  {
    name: 'PostgreSQL',
    async open(onChanges) {
      const { giveBack, url } = await borrowDatabase();
      const location = { kind: 'postgres', url, readers: 5 } as const;
      const opened = await openAt(location, () => countCommits(url), onChanges, giveBack);
      // The first write on a database also stores its history.
      await opened.store.secret('first');
      await logCommits(url);
      return opened;
    },
  },
];

async function openSqlite(onChanges?: OnChanges): Promise<Opened> {
  const dataDir = await quickDir();
  const commits = (): Promise<number> => Promise.resolve(countWalCommits(join(dataDir, 'kineograph.db')));
  return openAt({ kind: 'sqlite', dataDir }, commits, onChanges);
}

async function openAt(
  location: StoreLocation,
  commits: CountCommits,
  onChanges?: OnChanges,
  giveBack: () => Promise<void> = () => Promise.resolve(),
): Promise<Opened> {
  const told: (readonly VisibleRecord[])[] = [];
  const tell = (changes: readonly VisibleRecord[]): void => {
    told.push(changes);
    onChanges?.(changes);
  };
  const store = await openTaskStore(location, tell);
  await store.follow();
  onTestEnd(() => store.close());
  return {
    store,
    told,
    async reopen() {
      await store.close();
      return openAt(location, commits, onChanges, giveBack);
    },
    async close() {
      await store.close();
      await giveBack();
    },
    commits,
  };
}
