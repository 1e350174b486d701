import type { CallbackAddress } from './callback-address.ts';
import type { Clock } from './clock.ts';
import type { Feed } from './subscriptions/feed.ts';
import type { InspectImage } from './image-issue.ts';
import type { Log } from './log.ts';
import type { PendingCreates } from './pending-creates.ts';
import type { DurationEstimate } from './estimate.ts';
import type { Provider } from './provider.ts';
import type { TaskStore } from './store.ts';
import type { Timings } from './timings.ts';

/** Everything that the use cases of a task work with. */
export interface TaskPorts {
  readonly store: TaskStore;
  readonly provider: Provider;
  readonly feed: Feed;
  readonly pendingCreates: PendingCreates;
  readonly callbackAddress: CallbackAddress;
  readonly clock: Clock;
  readonly log: Log;
  readonly timings: Timings;
  readonly estimate: DurationEstimate;
  /** Looks at pictures before they are paid for; null when that is left to the provider. */
  readonly inspectImage: InspectImage | null;
  /** Names this process among all that share the store. */
  readonly processId: string;
  /** An id that no task has, on any process. Those that are made one after the other should lie together in the store. */
  readonly newTaskId: () => string;
}
