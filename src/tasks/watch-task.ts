import type { ChangeSource } from './change-source.ts';
import { assertKnownRevision } from './known-revision.ts';
import type { TaskPorts } from './ports.ts';
import { RequestError } from './request-error.ts';
import { isTerminal } from './task.ts';
import { Watch } from './watch.ts';

/**
 * One task as it is now (left out when not newer than `after`), then its newest state after each change, ending after
 * its terminal state. A reader that is slow skips states and never the last one.
 * Rejects with NOT_FOUND or, for an `after` beyond the newest revision, BAD_USER_INPUT.
 */
export async function watchTask(
  ports: TaskPorts,
  owner: string,
  id: string,
  after: number | null,
): Promise<Watch> {
  const { clock, store, timings } = ports;
  await assertKnownRevision(store, after);
  const found = await store.find(owner, id);
  if (!found) throw noSuchTask(id);
  return new Watch({
    source: changesOfTask(ports, owner, found.id),
    after: after ?? 0,
    later: (run) => clock.after(timings.outcomeLook, run),
  });
}

function changesOfTask({ feed, store }: TaskPorts, owner: string, id: string): ChangeSource {
  return {
    attach: (listener) => feed.onTask(id, listener),
    async read(revision) {
      await store.follow();
      const task = await store.find(owner, id);
      const changes = task && task.revision > revision ? [task] : [];
      // One that is gone changes no more.
      return { changes, hasMore: false, isEnd: !task || isTerminal(task.state) };
    },
    isEnd: ({ state }) => isTerminal(state),
    isNewestEnough: true,
  };
}

export function noSuchTask(id: string): RequestError {
  return new RequestError('NOT_FOUND', `There is no task "${id.slice(0, 100)}" that you may see.`);
}
