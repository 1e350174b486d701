import type { SignedAddress } from './signed-address.ts';
import type { Clock } from './clock.ts';
import type { Feed } from './subscriptions/feed.ts';
import type { InspectImage } from './validate-input.ts';
import type { Log } from './log.ts';
import type { PendingCreates } from './pending-creates.ts';
import type { RecentTasks } from './recent-tasks.ts';
import type { Provider } from './provider.ts';
import type { TaskStore } from './store.ts';
import type { Timings } from './timings.ts';
import type { VideoArchive } from './video.ts';
import type { Loop } from './worker.ts';

/** Dependencies of the use cases of tasks. */
export interface TaskPorts {
  readonly store: TaskStore;
  readonly provider: Provider;
  readonly feed: Feed;
  readonly pendingCreates: PendingCreates;
  readonly callbackAddress: SignedAddress;
  readonly clock: Clock;
  readonly log: Log;
  readonly timings: Timings;
  readonly recent: RecentTasks;
  /** Begins a piece of an owner's work when it is that owner's turn. */
  readonly inTurn: <T>(owner: string, begin: () => Promise<T>) => Promise<T>;
  /** Checks images before the create call. */
  readonly inspectImage: InspectImage;
  /** Ids of the models that clients may use. */
  readonly offered: ReadonlySet<string>;
  /** The copies of videos; null when none are kept. */
  readonly archive: VideoArchive | null;
  /** Id of this process among all replicas. */
  readonly processId: string;
  /** Further workers, which run from the start of all others to their stop. */
  readonly workers: readonly ((ports: TaskPorts) => Loop)[];
  /** A new unique id. Consecutive ids should sort together, which keeps writes to the index cheap. */
  readonly newTaskId: () => string;
}
