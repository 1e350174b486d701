import { ask, client } from './client.ts';
import { newestRevision, takeTasks } from './known-tasks.ts';
import { TasksQuery, TasksUpdated, type TaskState } from './operations.ts';

export interface Page {
  readonly hasNextPage: boolean;
  readonly endCursor: string | null;
}

const PAGE = 24;

/** Reads a page of the caller's tasks, newest first. */
export async function loadPage(after: string | null, states: readonly TaskState[]): Promise<Page> {
  const variables = { first: PAGE, after, states: [...states] };
  const { tasks } = await ask(TasksQuery, variables);
  takeTasks(tasks.edges.map(({ node }) => node));
  // The revision from before the page was read: whatever changed since comes by subscription.
  newestRevision.set(newestRevision.get() ?? tasks.revision);
  return { hasNextPage: tasks.pageInfo.hasNextPage, endCursor: tasks.pageInfo.endCursor };
}

/**
 * Follows every change of the caller's tasks until the returned function is called. `onLost` is called when that cannot go
 * on from what is known, such as after the gateway's store was replaced.
 */
export function followTasks(onLost: () => void): () => void {
  // The socket sends them anew at each connection, and by then they say where to go on.
  const variables = {
    get after() {
      return newestRevision.get();
    },
  };
  const { unsubscribe } = client.subscription(TasksUpdated, variables).subscribe(({ data, error }) => {
    if (error && error.graphQLErrors.length > 0) onLost();
    if (!data) return;
    takeTasks([data.tasksUpdated]);
    newestRevision.set(Math.max(newestRevision.get() ?? 0, data.tasksUpdated.revision));
  });
  return unsubscribe;
}
