import { useCallback, useEffect, useRef, useState } from 'react';
import { connection } from '../api/connection.ts';
import { followTasks, loadPage, type Page } from '../api/follow-tasks.ts';
import { forgetTasks, knownTasks } from '../api/known-tasks.ts';
import type { Task, TaskState } from '../api/operations.ts';
import { useValue } from '../api/value.ts';

export interface TaskList {
  /** Newest first. */
  readonly tasks: readonly Task[];
  readonly isLoading: boolean;
  readonly hasFailed: boolean;
  readonly hasMore: boolean;
  loadMore(): void;
}

/** The caller's tasks in these states (all, when there are none), loaded page by page. */
export function useTasks(states: readonly TaskState[]): TaskList {
  const known = useValue(knownTasks);
  const [page, setPage] = useState<Page | null>(null);
  const [status, setStatus] = useState<'loading' | 'ready' | 'failed'>('loading');

  const newest = useRef(0);
  const isLive = useValue(connection).state === 'live';

  const load = useCallback(
    (after: string | null): void => {
      setStatus('loading');
      const mine = (newest.current += 1);
      // What was asked for another filter is not waited for any more.
      const isWanted = (): boolean => mine === newest.current;
      loadPage(after, states).then(
        (next) => {
          if (!isWanted()) return;
          setPage(next);
          setStatus('ready');
        },
        () => {
          if (isWanted()) setStatus('failed');
        },
      );
    },
    [states],
  );

  useEffect(() => {
    setPage(null);
    load(null);
  }, [load]);

  useEffect(() => {
    if (isLive && status === 'failed') load(page?.endCursor ?? null);
    // Once for each time that the connection comes back.
  }, [isLive]);

  const tasks = [...known.values()]
    .filter(({ state }) => states.length === 0 || states.includes(state))
    .toSorted(newestFirst);
  return {
    tasks,
    isLoading: status === 'loading',
    hasFailed: status === 'failed',
    hasMore: page?.hasNextPage ?? false,
    loadMore: () => {
      load(page?.endCursor ?? null);
    },
  };
}

/** As the gateway orders them. */
function newestFirst(one: Task, other: Task): number {
  const [first, second] = [`${other.createdAt} ${other.id}`, `${one.createdAt} ${one.id}`];
  return first < second ? -1 : Number(first > second);
}

/** Follows all tasks for as long as the component is shown; begins anew where that cannot go on. */
export function useFollowing(): void {
  const [round, setRound] = useState(0);
  useEffect(() => {
    let stop = (): void => undefined;
    let isOver = false;
    const begin = (): void => {
      // The first page says from which revision on to follow.
      loadPage(null, []).then(
        () => {
          if (isOver) return;
          stop = followTasks(() => {
            forgetTasks();
            setRound((last) => last + 1);
          });
        },
        () => {
          if (!isOver) setTimeout(begin, 2000);
        },
      );
    };
    begin();
    return () => {
      isOver = true;
      stop();
    };
  }, [round]);
}
