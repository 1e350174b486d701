import { assertKnownRevision } from './known-revision.ts';
import type { TaskPorts } from './ports.ts';
import { RequestError } from './request-error.ts';
import { isTerminal, type AnnouncedRecord } from './task.ts';
import { SourceWatch, type Watch } from './watch.ts';

/**
 * One task as it is now (left out when not newer than `after`), then its newest state after each change, ending after
 * its terminal state. A reader that is slow skips states and never the last one.
 * Rejects with NOT_FOUND or, for an `after` beyond the newest revision, BAD_USER_INPUT.
 */
export async function watchTask(
  { feed, store }: TaskPorts,
  owner: string,
  id: string,
  after: number | null,
): Promise<Watch> {
  await assertKnownRevision(store, after);
  const found = await store.find(owner, id);
  if (!found) throw noSuchTask(id);

  let newest: AnnouncedRecord | null = null;
  let sent = after ?? 0;
  let isRead = false;
  let hasEnded = false;
  const take = (record: AnnouncedRecord): void => {
    if (record.revision > (newest?.revision ?? sent)) newest = record;
    hasEnded ||= isTerminal(record.state);
  };

  const watch = new SourceWatch({
    async pull() {
      // Read only now that the feed is attached: a change in between is in one or the other.
      if (!isRead) {
        await store.follow();
        take((await store.find(owner, found.id)) ?? found);
      }
      isRead = true;
      const next = newest;
      newest = null;
      sent = next?.revision ?? sent;
      if (next) return [next];
      return hasEnded ? 'end' : 'wait';
    },
    detach: feed.onTask(found.id, (change) => {
      take(change);
      watch.wake();
    }),
  });
  return watch;
}

export function noSuchTask(id: string): RequestError {
  return new RequestError('NOT_FOUND', `There is no task "${id.slice(0, 100)}" that you may see.`);
}
