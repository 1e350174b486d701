import { assertKnownRevision } from './known-revision.ts';
import type { TaskPorts } from './ports.ts';
import { StoreUnavailableError } from './store.ts';
import type { AnnouncedRecord } from './task.ts';
import { SourceWatch, type Watch } from './watch.ts';

/** How many states are read from the store at once, and kept for a reader that does not keep up. */
const PAGE = 100;

/**
 * Every change of every task of an owner, never ending by itself. It begins with all tasks that changed after the
 * revision `after` (now, when null), each in its newest state, in order of revision. At any moment it holds at most a
 * page: a reader that falls behind loses the page, keeps its cursor and catches up from the store.
 * A store that is away makes it wait, once it has begun. Rejects with BAD_USER_INPUT for an `after` beyond the newest revision.
 */
export async function watchTasks(
  { clock, feed, store, timings }: TaskPorts,
  owner: string,
  after: number | null,
): Promise<Watch> {
  await assertKnownRevision(store, after);
  let cursor = after ?? (await store.newestRevision());
  let live: AnnouncedRecord[] = [];
  // Changes may be missing from `live`; the store has them.
  let isBehind = true;
  let hasBegun = false;

  const watch = new SourceWatch({
    async pull() {
      const page = isBehind ? await readPage() : [];
      const next = [...page, ...live.filter(isNews(page.at(-1)?.revision ?? cursor))];
      live = [];
      cursor = next.at(-1)?.revision ?? cursor;
      return next.length > 0 ? next : 'wait';
    },
    detach: feed.onOwner(owner, (change) => {
      // Behind already: the store is read for it. Kept live it would be delivered before what was let go of.
      if (isBehind || live.length === PAGE) fallBehind();
      else live.push(change);
      watch.wake();
    }),
  });
  return watch;

  async function readPage(): Promise<readonly AnnouncedRecord[]> {
    isBehind = false;
    try {
      await store.follow();
      const page = await store.changesAfter(owner, cursor, PAGE);
      hasBegun = true;
      // What is live now may be newer than what the next page begins with.
      if (page.length === PAGE) fallBehind();
      return page;
    } catch (error) {
      // At the beginning there is somebody to be told; later the reader catches up when the store is back.
      if (!hasBegun || !(error instanceof StoreUnavailableError)) throw error;
      fallBehind();
      clock.after(timings.outcomeLook, () => {
        watch.wake();
      });
      return [];
    }
  }

  function fallBehind(): void {
    live = [];
    isBehind = true;
  }
}

function isNews(floor: number): (change: AnnouncedRecord) => boolean {
  return (change) => change.revision > floor;
}
