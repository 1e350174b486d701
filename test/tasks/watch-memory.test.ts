import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { watchTask, createWatchTasks } from '../../src/tasks/subscriptions/subscription.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { OWNER, addTask, change } from '../websocket/stored-tasks.ts';

const CHANGES = 1500;
const BYTES_PER_CHANGE = 20_000;
/** All changes together are 30 MB, what a watch of all tasks may hold a tenth of that. */
const BOUND = 15_000_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('subscriptions with a stalled reader do not grow in memory, and lose no final state', async () => {
  const { ports, store } = await startHeldGateway();
  const tasks = await Promise.all(Array.from({ length: 5 }, () => addTask(store)));
  const all = await createWatchTasks(ports)(OWNER, 0);
  for (const task of tasks) expect((await all.next()).value?.id).toBe(task.id);
  const [first] = tasks as [VisibleRecord];
  const one = await watchTask(ports, OWNER, first.id, null);
  await one.next();

  const before = heapInUse();
  for (let count = 0; count < CHANGES; count += 1) {
    const index = count % tasks.length;
    const failure = {
      code: 'UNKNOWN',
      providerCode: null,
      message: `${count}`.padEnd(BYTES_PER_CHANGE, ' .'),
    } as const;
    tasks[index] = await change(store, tasks[index] as VisibleRecord, { failure });
  }
  expect(heapInUse() - before).toBeLessThan(BOUND);

  expect((await one.next()).value?.revision).toBe(tasks[0]?.revision);
  const newest = new Map(tasks.map(({ id, revision }) => [id, revision]));
  const seen = new Map<string, number>();
  while (seen.get(tasks.at(-1)?.id ?? '') !== tasks.at(-1)?.revision) {
    const { value } = await all.next();
    seen.set(value?.id ?? '', value?.revision ?? -1);
  }
  expect(seen).toEqual(newest);
});

function heapInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
