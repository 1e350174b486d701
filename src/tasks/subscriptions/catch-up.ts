import type { Page } from './cursor.ts';
import type { TaskStore } from '../store.ts';

/** Somebody who waits for what is newer than a revision. */
interface Reader {
  readonly after: number;
  readonly resolve: (page: Page) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads pages for many who read the same changes: what is read for one is given to all others who had asked by then and
 * whose place it covers. So each gets what the store held after it had asked, as if it had read by itself. `letIn` is
 * given what is to be done step by step: each step reads one page, or gives it to one reader.
 */
export function createSharedPages(
  readPage: (after: number) => Promise<Page>,
  letIn: (step: Step) => void,
): (after: number) => Promise<Page> {
  let asking: Reader[] = [];
  const giving: (() => void)[] = [];
  let isReading = false;

  const hasWork = (): boolean => giving.length > 0 || (asking.length > 0 && !isReading);

  function step(): boolean {
    const give = giving.shift();
    if (give) give();
    else void readFor(asking);
    return hasWork();
  }

  async function readFor(readers: readonly Reader[]): Promise<void> {
    const [first] = readers;
    if (!first) return;
    isReading = true;
    asking = [];
    try {
      const page = await readPage(first.after);
      const last = page.hasMore ? (page.changes.at(-1)?.revision ?? 0) : Infinity;
      const covers = ({ after }: Reader): boolean => after >= first.after && after < last;
      for (const { after, resolve } of readers.filter(covers))
        giving.push(() => {
          resolve(after === first.after ? page : newerThan(after, page));
        });
      asking = [...readers.filter((reader) => !covers(reader)), ...asking];
    } catch (error) {
      // One by one they would each wait as long for a store that is away.
      for (const { reject } of readers) reject(error);
    }
    isReading = false;
    if (hasWork()) letIn(step);
  }

  return (after) =>
    new Promise((resolve, reject) => {
      asking.push({ after, resolve, reject });
      if (hasWork()) letIn(step);
    });
}

function newerThan(after: number, page: Page): Page {
  return { ...page, changes: page.changes.filter(({ revision }) => revision > after) };
}

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
  const letIn = createCatchUpScheduler();

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

/** One piece of somebody's work; returns whether there is more to do for now. */
export type Step = () => boolean;

/**
 * Has long work of many done one step in each turn of the event loop, so that everything else happens in between, and
 * by turns: who has few steps to take waits for no more than one step of each of the others. The returned function lets
 * somebody in who is not in line; steps must not throw.
 */
export function createCatchUpScheduler(): (step: Step) => void {
  const line = new Set<Step>();

  function takeOne(): void {
    for (const step of line) {
      const isMore = step();
      line.delete(step);
      if (isMore) line.add(step);
      break;
    }
    if (line.size > 0) setImmediate(takeOne);
  }

  return (step) => {
    if (line.size === 0) setImmediate(takeOne);
    line.add(step);
  };
}
