import type { CallbackAddress } from './callback-address.ts';
import type { Clock } from './clock.ts';
import type { Feed } from './subscriptions/feed.ts';
import type { InspectImage } from './validate-input.ts';
import type { Log } from './log.ts';
import type { PendingCreates } from './pending-creates.ts';
import type { RecentTasks } from './recent-tasks.ts';
import type { Provider } from './provider.ts';
import type { TaskStore } from './store.ts';
import type { Timings } from './timings.ts';

/** Dependencies of the use cases of tasks. */
export interface TaskPorts {
  readonly store: TaskStore;
  readonly provider: Provider;
  readonly feed: Feed;
  readonly pendingCreates: PendingCreates;
  readonly callbackAddress: CallbackAddress;
  readonly clock: Clock;
  readonly log: Log;
  readonly timings: Timings;
  readonly recent: RecentTasks;
  /** Checks images before the create call. */
  readonly inspectImage: InspectImage;
  /** Ids of the models that clients may use. */
  readonly offered: ReadonlySet<string>;
  /** Id of this process among all replicas. */
  readonly processId: string;
  /** A new unique id. Consecutive ids should sort together, which keeps writes to the index cheap. */
  readonly newTaskId: () => string;
}
