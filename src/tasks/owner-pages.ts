import type { Page } from './change-source.ts';
import { createSharedPages } from './shared-pages.ts';
import type { TaskStore } from './store.ts';
import { createTurns } from './turns.ts';

/** How many states are read from the store at once. */
const PAGE = 100;

/** The oldest changes of an owner's tasks after a revision. Rejects with StoreUnavailableError. */
export type ReadOwnerPage = (owner: string, after: number) => Promise<Page>;

/** Those who read the changes of one owner share pages, and all owners take turns. */
export function createOwnerPages(store: TaskStore): ReadOwnerPage {
  interface Shared {
    readonly read: (after: number) => Promise<Page>;
    readers: number;
  }
  const byOwner = new Map<string, Shared>();
  const letIn = createTurns();

  async function readPage(owner: string, after: number): Promise<Page> {
    await store.follow();
    const changes = await store.changesAfter(owner, after, PAGE);
    return { changes, hasMore: changes.length === PAGE, isEnd: false };
  }

  function sharedBy(owner: string): Shared {
    const known = byOwner.get(owner);
    if (known) return known;
    const shared = { read: createSharedPages((after) => readPage(owner, after), letIn), readers: 0 };
    byOwner.set(owner, shared);
    return shared;
  }

  return async (owner, after) => {
    const shared = sharedBy(owner);
    shared.readers += 1;
    try {
      return await shared.read(after);
    } finally {
      shared.readers -= 1;
      if (shared.readers === 0) byOwner.delete(owner);
    }
  };
}
