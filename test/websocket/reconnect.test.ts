import { describe, expect, test } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { type ApiTask, TASKS, TASKS_UPDATED } from '../kit/documents.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { DOORS } from './doors.ts';
import { eventually } from './eventually.ts';
import { startHeldGateway } from './held-gateway.ts';
import { addTask, change } from './stored-tasks.ts';

/** After how many events each connection is cut. */
const CUTS = [0, 1, 3, 0, 20, 2, 60];

describe.each(DOORS)('the recipe without a gap, over $name', ({ subscribe }) => {
  test('misses nothing across connections that are cut while tasks change all the time', async () => {
    const { gateway, store } = await startHeldGateway();
    const churn = startChurn(store);
    await churn.changed(20);

    const { tasks } = dataOf((await graphql(gateway.graphqlUrl, TASKS, { first: 100 })).body);
    const known = new Map(tasks.edges.map(({ node }) => [node.id, node.revision]));
    let { revision } = tasks;
    const take = (task: ApiTask): void => {
      expect(task.revision, 'an older state after a newer one').toBeGreaterThan(known.get(task.id) ?? 0);
      known.set(task.id, task.revision);
      revision = Math.max(revision, task.revision);
    };

    for (const events of CUTS) {
      const stream = await subscribe(gateway.graphqlUrl, {
        query: TASKS_UPDATED,
        variables: { after: revision },
      });
      for (let count = 0; count < events; count += 1) take((await stream.data()).tasksUpdated);
      stream.cut();
    }

    const newest = await churn.stop();
    const last = Math.max(...newest.values());
    const stream = await subscribe(gateway.graphqlUrl, {
      query: TASKS_UPDATED,
      variables: { after: revision },
    });
    while (revision < last) take((await stream.data()).tasksUpdated);
    expect(known).toEqual(newest);
    stream.cut();
    await eventually('no listener is left', () => gateway.app.stats().listeners === 0);
  });
});

/** Tasks that change, and new ones that come, one commit after the other until it is stopped. */
function startChurn(store: TaskStore) {
  const tasks: VisibleRecord[] = [];
  let changes = 0;
  let isStopped = false;

  const step = async (): Promise<void> => {
    // Mostly the same few tasks again and again, in a fixed pattern, and now and then a new one.
    const index = (changes * 7) % 20;
    const task = changes % 10 === 0 ? undefined : tasks[index];
    if (task) tasks[index] = await change(store, task);
    else tasks.push(await addTask(store));
    changes += 1;
  };
  const run = async (): Promise<void> => {
    while (!isStopped) await step();
  };
  const running = run();

  return {
    changed: (count: number) => eventually(`${count} changes`, () => changes >= count),
    /** The newest revision of every task. */
    async stop(): Promise<ReadonlyMap<string, number>> {
      isStopped = true;
      await running;
      return new Map(tasks.map(({ id, revision }) => [id, revision]));
    },
  };
}
