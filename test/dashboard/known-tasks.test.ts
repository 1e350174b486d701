import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { forgetTasks, knownTasks, takeTasks } from '../../dashboard/src/api/known-tasks.ts';
import type { Task } from '../../dashboard/src/api/operations.ts';

beforeEach(forgetTasks);

function task(id: string, revision: number): Task {
  return { id, revision, prompt: `as of ${revision}` } as unknown as Task;
}

test('of every task the page keeps the newest state that it was told of, in whatever order it was told', () => {
  const told = fc.array(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(50)), { maxLength: 5 }));
  fc.assert(
    fc.property(told, (batches) => {
      forgetTasks();
      // Answers hold each task once.
      for (const batch of batches) takeTasks([...new Map(batch)].map(([id, revision]) => task(id, revision)));
      const all = batches.flatMap((batch) => [...new Map(batch)]);
      for (const id of ['a', 'b', 'c']) {
        const revisions = all.filter(([one]) => one === id).map(([, revision]) => revision);
        const newest = revisions.length === 0 ? undefined : Math.max(...revisions);
        expect(knownTasks.get().get(id)?.revision).toBe(newest);
      }
    }),
  );
});

test('what says nothing new changes nothing: nobody is shown anything anew for it', () => {
  takeTasks([task('a', 5)]);
  const before = knownTasks.get();
  takeTasks([task('a', 5), task('a', 4)]);
  expect(knownTasks.get()).toBe(before);
});
