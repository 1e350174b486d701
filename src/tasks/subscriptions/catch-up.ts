import type { Page } from './cursor.ts';
import type { TaskStore } from '../store.ts';

/** A subscription that waits for changes after a revision. */
interface Reader {
  readonly after: number;
  readonly resolve: (page: Page) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Shares pages between subscriptions: a page that is read for one also answers all that were already waiting and whose
 * cursor lies inside it. Nobody gets data older than their request. `schedule` runs steps: each reads or delivers one page.
 */
export function createSharedPages(
  readPage: (after: number) => Promise<Page>,
  schedule: (step: Step) => void,
): (after: number) => Promise<Page> {
  let waiting: Reader[] = [];
  const deliveries: (() => void)[] = [];
  let isReading = false;

  const hasWork = (): boolean => deliveries.length > 0 || (waiting.length > 0 && !isReading);

  function step(): boolean {
    const deliver = deliveries.shift();
    if (deliver) deliver();
    else void readFor(waiting);
    return hasWork();
  }

  async function readFor(readers: readonly Reader[]): Promise<void> {
    const [first] = readers;
    if (!first) return;
    isReading = true;
    waiting = [];
    try {
      const page = await readPage(first.after);
      const last = page.hasMore ? (page.changes.at(-1)?.revision ?? 0) : Infinity;
      const covers = ({ after }: Reader): boolean => after >= first.after && after < last;
      for (const { after, resolve } of readers.filter(covers))
        deliveries.push(() => {
          resolve(after === first.after ? page : newerThan(after, page));
        });
      waiting = [...readers.filter((reader) => !covers(reader)), ...waiting];
    } catch (error) {
      // All at once: in an outage each read would wait for its own timeout.
      for (const { reject } of readers) reject(error);
    }
    isReading = false;
    if (hasWork()) schedule(step);
  }

  return (after) =>
    new Promise((resolve, reject) => {
      waiting.push({ after, resolve, reject });
      if (hasWork()) schedule(step);
    });
}

function newerThan(after: number, page: Page): Page {
  return { ...page, changes: page.changes.filter(({ revision }) => revision > after) };
}

/** Changes per page. */
const PAGE = 100;

/** Reads the oldest changes of an owner's tasks after a revision. Rejects with StoreUnavailableError. */
export type ReadOwnerPage = (owner: string, after: number) => Promise<Page>;

/** Subscriptions of one owner share pages; owners are served round robin. */
export function createOwnerPages(store: TaskStore): ReadOwnerPage {
  interface Shared {
    readonly read: (after: number) => Promise<Page>;
    readers: number;
  }
  const byOwner = new Map<string, Shared>();
  const schedule = createCatchUpScheduler();

  async function readPage(owner: string, after: number): Promise<Page> {
    await store.follow();
    const changes = await store.changesAfter(owner, after, PAGE);
    return { changes, hasMore: changes.length === PAGE, isEnd: false };
  }

  function sharedBy(owner: string): Shared {
    const known = byOwner.get(owner);
    if (known) return known;
    const shared = { read: createSharedPages((after) => readPage(owner, after), schedule), readers: 0 };
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

/** One piece of work; returns whether more is left. */
export type Step = () => boolean;

/**
 * Round-robin scheduler: one step of one client per event-loop turn, so that catch-ups block neither the process nor each
 * other. Call the returned function to enqueue a client. Steps must not throw.
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
