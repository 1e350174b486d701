import type { ChangeSource } from './change-source.ts';
import { assertKnownRevision } from './known-revision.ts';
import type { TaskPorts } from './ports.ts';
import { Watch } from './watch.ts';

/** How many states are read from the store at once. */
const PAGE = 100;

/**
 * Every change of every task of an owner, never ending by itself. It begins with all tasks that changed after the
 * revision `after` (now, when null), each in its newest state, in order of revision.
 * A store that is away makes it wait, once it has begun. Rejects with BAD_USER_INPUT for an `after` beyond the newest revision.
 */
export async function watchTasks(ports: TaskPorts, owner: string, after: number | null): Promise<Watch> {
  const { clock, store, timings } = ports;
  await assertKnownRevision(store, after);
  return new Watch({
    source: sourceOf(ports, owner),
    after: after ?? (await store.newestRevision()),
    later: (run) => clock.after(timings.outcomeLook, run),
  });
}

function sourceOf({ feed, store }: TaskPorts, owner: string): ChangeSource {
  return {
    attach: (listener) => feed.onOwner(owner, listener),
    async read(revision) {
      await store.follow();
      const changes = await store.changesAfter(owner, revision, PAGE);
      return { changes, hasMore: changes.length === PAGE, isEnd: false };
    },
    isEnd: () => false,
    isNewestEnough: false,
  };
}
