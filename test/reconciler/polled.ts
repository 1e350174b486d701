import type { Timings } from '../../src/tasks/timings.ts';
import { TASKS_UPDATED, type ApiTask } from '../kit/documents.ts';
import type { Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';

/** The provider is asked about a task again and again, without a pause worth the name. */
export const POLLING: Partial<Timings> = { checkIntervalMin: 10, checkIntervalMax: 10, idleLook: 10 };

/** For as many queries as a test may make. */
export const NO_QUERY_LIMIT = { KIE_QUERIES_PER_S: '10000' };

/** The changes of all tasks from now on (or from those after `after` on), one at each call. */
export async function watchAll(gateway: Gateway, after?: number): Promise<() => Promise<ApiTask>> {
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const stream = socket.subscribe({ query: TASKS_UPDATED, variables: { after } });
  return async () => (await stream.data()).tasksUpdated;
}

/** Reads changes until one is in this state. */
export async function until(next: () => Promise<ApiTask>, state: ApiTask['state']): Promise<ApiTask> {
  let task = await next();
  while (task.state !== state) task = await next();
  return task;
}
