import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AnnouncedRecord } from '../../src/tasks/task.ts';
import { watchTasks } from '../../src/tasks/watch-tasks.ts';
import { startHeldGateway, type HeldGateway } from '../live/held-gateway.ts';
import type { Hold } from '../live/held-store.ts';
import { addTask, change } from '../live/stored-tasks.ts';

type Command =
  | { readonly kind: 'add' | 'change'; readonly count: number }
  | { readonly kind: 'read'; readonly count: number }
  | { readonly kind: 'hold'; readonly when: 'holdRead' | 'holdAnswer' }
  | { readonly kind: 'release' };

// Below, at and above what a watch holds.
const count = fc.constantFrom(1, 2, 99, 100, 101, 130);
const changes = fc.record({ kind: fc.constantFrom('add' as const, 'change' as const), count });
const reads = fc.record({ kind: fc.constant('read' as const), count });
const holds = fc.record({
  kind: fc.constant('hold' as const),
  when: fc.constantFrom('holdRead' as const, 'holdAnswer' as const),
});
const releases = fc.constant({ kind: 'release' as const });

/** Anything in any order, and, more often than chance would have it, changes that come while a read is held. */
const commandLists: fc.Arbitrary<readonly Command[]> = fc
  .array(
    fc.oneof(
      fc.tuple(fc.oneof(changes, reads, holds, releases)),
      fc.tuple(holds, reads, changes, changes, releases, reads),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((groups) => groups.flat());

test('however changes, reads and a slow store fall together, each task is shown last in its newest state, all in order', async () => {
  const kit = await startHeldGateway();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(commandLists, async (commands) => {
      run += 1;
      const { newest, seen } = await play(kit, `owner ${run}`, commands);
      const revisions = seen.map(({ revision }) => revision);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      expect(new Map(seen.map(({ id, revision }) => [id, revision]))).toEqual(newest);
    }),
    { numRuns: 40 },
  );
}, 60_000);

/** Plays the commands to a watcher from the beginning, and lets it read until it has seen the very last change. */
async function play({ held, ports, store }: HeldGateway, owner: string, commands: readonly Command[]) {
  const tasks: AnnouncedRecord[] = [];
  const seen: AnnouncedRecord[] = [];
  const holds: Hold[] = [];
  const watch = await watchTasks(ports, owner, 0);
  let wanted = 0;
  let reading = Promise.resolve();

  // One reader, which reads in the background as many states as it was told to.
  const readOn = async (): Promise<void> => {
    while (wanted > 0) {
      wanted -= 1;
      const { value } = await watch.next();
      if (!value) throw new Error('The watch ended by itself');
      seen.push(value);
    }
  };
  const read = (states: number): void => {
    wanted += states;
    reading = reading.then(readOn);
  };
  const add = async (amount: number): Promise<void> => {
    tasks.push(...(await Promise.all(Array.from({ length: amount }, () => addTask(store, { owner })))));
  };

  for (const command of commands) {
    if (command.kind === 'add') await add(command.count);
    else if (command.kind === 'change')
      await Promise.all(
        tasks.slice(0, command.count).map(async (task, index) => (tasks[index] = await change(store, task))),
      );
    else if (command.kind === 'read') read(command.count);
    else if (command.kind === 'hold') holds.push(held[command.when]('changesAfter'));
    else holds.shift()?.release();
  }

  for (const { release } of holds) release();
  wanted = 0;
  // Also ends the one read that may still be waiting.
  await add(1);
  await reading;
  while (seen.at(-1)?.revision !== tasks.at(-1)?.revision) {
    read(1);
    await reading;
  }
  await watch.return();
  return { seen, newest: new Map(tasks.map(({ id, revision }) => [id, revision])) };
}
