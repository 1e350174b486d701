import { RequestError } from './request-error.ts';
import type { TaskStore } from './store.ts';

/** `after` must be a revision that has been given: asked of the store, since other processes give them too. */
export async function assertKnownRevision(store: TaskStore, after: number | null): Promise<void> {
  if (after === null) return;
  const newest = await store.newestRevision();
  if (after < 0 || after > newest)
    throw new RequestError(
      'BAD_USER_INPUT',
      `after: ${after} is not a revision between 0 and the newest one, ${newest}. Query tasks { revision } and begin there.`,
    );
}
