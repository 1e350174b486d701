import { expect, test } from 'vitest';
import { createCatchUpScheduler } from '../../src/tasks/subscriptions/catch-up.ts';

/** Lets steps in that note their names; each worker has as many as it is given. Returns the names, turn by turn. */
async function turnsOf(workers: Readonly<Record<string, number>>): Promise<readonly string[]> {
  const letIn = createCatchUpScheduler();
  const turns: string[] = [];
  let left = 0;
  for (const [name, steps] of Object.entries(workers)) {
    let remaining = steps;
    left += steps;
    letIn(() => {
      turns.push(`${turns.pop() ?? ''}${name}`);
      left -= 1;
      return (remaining -= 1) > 0;
    });
  }
  while (left > 0) {
    turns.push('');
    await new Promise((resolve) => setImmediate(resolve));
  }
  return turns;
}

test('the scheduler runs one step per turn of the event loop, round robin', async () => {
  expect(await turnsOf({ a: 3, b: 1, c: 2 })).toEqual(['a', 'b', 'c', 'a', 'c', 'a']);
});

test('the scheduler accepts the same work again', async () => {
  const letIn = createCatchUpScheduler();
  for (let time = 0; time < 3; time += 1)
    await new Promise<void>((resolve) => {
      letIn(() => {
        resolve();
        return false;
      });
    });
});
