import type { TaskPorts } from '../ports.ts';
import type { Page } from './cursor.ts';

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
  isReading: boolean;
}

/** Changes per page. */
const PAGE = 100;

/** Reads the oldest changes of an owner's tasks after a revision. Rejects with StoreUnavailableError. */
export type ReadOwnerPage = (owner: string, after: number) => Promise<Page>;

/**
 * Shares pages between subscriptions: a page that is read for one also answers all of its owner that were already waiting
 * and whose cursor lies inside it. Each page is read, and delivered to each subscription, in the owner's turn: what a
 * subscription makes of a page may be large.
 */
export function createOwnerPages({ inTurn, store }: Pick<TaskPorts, 'inTurn' | 'store'>): ReadOwnerPage {
  const owners = new Map<string, Owner>();

  function readNext(owner: Owner): void {
    if (owner.isReading) return;
    owner.isReading = owner.waiting.length > 0;
    if (owner.isReading) void inTurn(owner.name, () => readFor(owner));
    else owners.delete(owner.name);
  }

  async function readFor(owner: Owner): Promise<void> {
    const readers = owner.waiting;
    owner.waiting = [];
    try {
      const after = readers[0]?.after ?? 0;
      const page = await readPage(owner.name, after);
      const last = page.hasMore ? (page.changes.at(-1)?.revision ?? 0) : Infinity;
      const isInside = (reader: Reader): boolean => reader.after >= after && reader.after < last;
      for (const reader of readers.filter(isInside))
        void inTurn(owner.name, () => {
          reader.resolve({
            ...page,
            changes: page.changes.filter(({ revision }) => revision > reader.after),
          });
          return Promise.resolve();
        });
      owner.waiting = [...readers.filter((reader) => !isInside(reader)), ...owner.waiting];
    } catch (error) {
      // All at once: in an outage each read would wait for its own timeout.
      for (const { reject } of readers) reject(error);
    }
    owner.isReading = false;
    readNext(owner);
  }

  async function readPage(owner: string, after: number): Promise<Page> {
    await store.follow();
    const changes = await store.changesAfter(owner, after, PAGE);
    return { changes, hasMore: changes.length === PAGE, isEnd: false };
  }

  return (name, after) =>
    new Promise((resolve, reject) => {
      const owner = owners.get(name) ?? { name, waiting: [], isReading: false };
      owners.set(name, owner);
      owner.waiting.push({ after, resolve, reject });
      readNext(owner);
    });
}
