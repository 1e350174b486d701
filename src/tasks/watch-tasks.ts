import type { ChangeSource } from './change-source.ts';
import { assertKnownRevision } from './known-revision.ts';
import { createOwnerPages, type ReadOwnerPage } from './owner-pages.ts';
import type { TaskPorts } from './ports.ts';
import { Watch } from './watch.ts';

/**
 * Returns how to watch all tasks of an owner: every change of every task, never ending by itself. It begins with all
 * tasks that changed after the revision `after` (now, when null), each in its newest state, in order of revision.
 * A store that is away makes it wait, once it has begun. Rejects with BAD_USER_INPUT for an `after` beyond the newest revision.
 */
export function createWatchTasks(ports: TaskPorts): (owner: string, after: number | null) => Promise<Watch> {
  const { clock, store, timings } = ports;
  const readPage = createOwnerPages(store);
  return async (owner, after) => {
    await assertKnownRevision(store, after);
    return new Watch({
      source: changesOfOwner(ports, owner, readPage),
      after: after ?? (await store.newestRevision()),
      later: (run) => clock.after(timings.outcomeLook, run),
    });
  };
}

function changesOfOwner({ feed }: TaskPorts, owner: string, readPage: ReadOwnerPage): ChangeSource {
  return {
    attach: (listener) => feed.onOwner(owner, listener),
    read: (after) => readPage(owner, after),
    isEnd: () => false,
    isNewestEnough: false,
  };
}
