import type { Page } from './cursor.ts';
import type { TaskStore } from '../store.ts';

/** A subscription that waits for changes after a revision. */
interface Reader {
  readonly after: number;
  readonly resolve: (page: Page) => void;
  readonly reject: (error: unknown) => void;
}

/** The catch-ups of one owner. */
interface Owner {
  readonly name: string;
  waiting: Reader[];
  readonly deliveries: (() => void)[];
  isReading: boolean;
}

/** Changes per page. */
const PAGE = 100;

/** Reads the oldest changes of an owner's tasks after a revision. Rejects with StoreUnavailableError. */
export type ReadOwnerPage = (owner: string, after: number) => Promise<Page>;

/**
 * Shares pages between subscriptions: a page that is read for one also answers all of its owner that were already waiting
 * and whose cursor lies inside it. Each turn of the event loop reads or delivers one page, round robin over owners.
 */
export function createOwnerPages(store: TaskStore): ReadOwnerPage {
  const owners = new Map<string, Owner>();
  const line = new Set<Owner>();

  function enqueue(owner: Owner): void {
    if (owner.deliveries.length > 0 || (owner.waiting.length > 0 && !owner.isReading)) {
      if (line.size === 0) setImmediate(takeTurn);
      line.add(owner);
    } else if (!owner.isReading) owners.delete(owner.name);
  }

  function takeTurn(): void {
    const [owner] = line;
    if (!owner) return;
    const deliver = owner.deliveries.shift();
    if (deliver) deliver();
    else void readFor(owner);
    line.delete(owner);
    if (line.size > 0) setImmediate(takeTurn);
    enqueue(owner);
  }

  async function readFor(owner: Owner): Promise<void> {
    const readers = owner.waiting;
    const [first] = readers;
    if (!first) return;
    owner.isReading = true;
    owner.waiting = [];
    try {
      const page = await readPage(owner.name, first.after);
      const last = page.hasMore ? (page.changes.at(-1)?.revision ?? 0) : Infinity;
      const isInside = ({ after }: Reader): boolean => after >= first.after && after < last;
      for (const { after, resolve } of readers.filter(isInside))
        owner.deliveries.push(() => {
          resolve({ ...page, changes: page.changes.filter(({ revision }) => revision > after) });
        });
      owner.waiting = [...readers.filter((reader) => !isInside(reader)), ...owner.waiting];
    } catch (error) {
      // All at once: in an outage each read would wait for its own timeout.
      for (const { reject } of readers) reject(error);
    }
    owner.isReading = false;
    enqueue(owner);
  }

  async function readPage(owner: string, after: number): Promise<Page> {
    await store.follow();
    const changes = await store.changesAfter(owner, after, PAGE);
    return { changes, hasMore: changes.length === PAGE, isEnd: false };
  }

  return (name, after) =>
    new Promise((resolve, reject) => {
      const owner = owners.get(name) ?? { name, waiting: [], deliveries: [], isReading: false };
      owners.set(name, owner);
      owner.waiting.push({ after, resolve, reject });
      enqueue(owner);
    });
}
