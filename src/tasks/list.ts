import { RequestError } from './failure.ts';
import type { PagePosition, TaskStore } from './store.ts';
import type { VisibleRecord, TaskState, Task } from './task.ts';
import type { TaskPorts } from './ports.ts';
import { hasInvalidCharacters } from './validate-input.ts';

/** The largest `first`. */
export const MAX_PAGE = 100;

export interface TaskPage {
  readonly tasks: readonly VisibleRecord[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  /** The newest revision before this page was read. A subscription after it misses nothing. */
  readonly revision: number;
}

export interface ListQuery {
  readonly first: number;
  /** A page cursor; null for the newest tasks. */
  readonly after: string | null;
  /** Empty for all. */
  readonly states: readonly TaskState[];
}

/**
 * A page of an owner's tasks, newest first.
 * Rejects with BAD_USER_INPUT for a `first` outside 1..100 and for an `after` that `cursorOf` did not make.
 */
export async function listTasks(
  store: TaskStore,
  owner: string,
  { after, first, states }: ListQuery,
): Promise<TaskPage> {
  if (first < 1 || first > MAX_PAGE)
    throw new RequestError('BAD_USER_INPUT', `first: ${first} is not between 1 and ${MAX_PAGE}.`);
  const below = after === null ? null : positionOf(after);
  const revision = await store.newestRevision();
  const found = await store.page(owner, { limit: first + 1, below, states });
  return {
    tasks: found.slice(0, first),
    hasNextPage: found.length > first,
    hasPreviousPage: after !== null,
    revision,
  };
}

/** A task by our id or the provider's; null if the owner has no such task. Databases refuse some characters. */
export async function findTask(store: TaskStore, owner: string, id: string): Promise<VisibleRecord | null> {
  return hasInvalidCharacters(id) ? null : store.find(owner, id);
}

/** The same; rejects with NOT_FOUND. */
export async function requireTask(store: TaskStore, owner: string, id: string): Promise<VisibleRecord> {
  const found = await findTask(store, owner, id);
  if (!found) throw new RequestError('NOT_FOUND', `You have no task "${id.slice(0, 100)}".`);
  return found;
}

/** The page cursor of a task. It stays valid while other tasks are created or change. */
export function cursorOf({ createdAt, id }: PagePosition): string {
  return Buffer.from(`${createdAt}:${id}`).toString('base64url');
}

function positionOf(cursor: string): PagePosition {
  const [, createdAt, id] =
    /^(\d{1,15}):([\w-]{1,100})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (createdAt === undefined || id === undefined)
    throw new RequestError(
      'BAD_USER_INPUT',
      'after: this is not a cursor of this list. Use pageInfo.endCursor or the cursor of an edge, or omit it.',
    );
  return { createdAt: Number(createdAt), id };
}

/** Position of a task in the submission queue; 1 is sent next. null for a task that is not queued. */
export type QueuePosition = (task: Pick<Task, 'id' | 'state'>) => Promise<number | null>;

/** Reads the queue once per turn of the event loop. */
export function createQueuePositions({ clock, store }: Pick<TaskPorts, 'clock' | 'store'>): QueuePosition {
  let reading: Promise<ReadonlyMap<string, number>> | null = null;

  async function read(): Promise<ReadonlyMap<string, number>> {
    setImmediate(() => {
      reading = null;
    });
    const ids = await store.queue(clock.now());
    return new Map(ids.map((id, index) => [id, index + 1]));
  }

  return async ({ id, state }) => {
    if (state !== 'SUBMITTING') return null;
    reading ??= read();
    return (await reading).get(id) ?? null;
  };
}
