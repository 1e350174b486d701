import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createWatchTasks, type TaskSubscription } from '../../src/tasks/subscriptions/subscription.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { startHeldGateway, type HeldGateway, type Hold } from '../websocket/held-gateway.ts';
import { addTask, change } from '../websocket/stored-tasks.ts';

type Command =
  | { readonly kind: 'add' | 'change'; readonly count: number }
  | { readonly kind: 'read'; readonly who: number; readonly count: number }
  | { readonly kind: 'hold'; readonly when: 'holdRead' | 'holdAnswer' }
  | { readonly kind: 'release' };

/** Of the same owner: they share what is read for them. */
const WATCHERS = 3;

// Below, at and above what a watch holds.
const count = fc.constantFrom(1, 2, 99, 100, 101, 130);
const changes = fc.record({ kind: fc.constantFrom('add', 'change'), count });
const reads = fc.record({ kind: fc.constant('read'), who: fc.nat({ max: WATCHERS - 1 }), count });
const holds = fc.record({ kind: fc.constant('hold'), when: fc.constantFrom('holdRead', 'holdAnswer') });
const releases = fc.constant({ kind: 'release' } as const);

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

test('with any interleaving of changes, reads and a slow store, every subscription ends with the newest state of each task', async () => {
  const kit = await startHeldGateway();
  const watchTasks = createWatchTasks(kit.ports);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(commandLists, async (commands) => {
      const owner = `owner ${(run += 1)}`;
      const watches = await Promise.all(Array.from({ length: WATCHERS }, () => watchTasks(owner, 0)));
      const readers = watches.map(readOnDemand);
      const newest = await play(kit, owner, readers, commands);
      for (const reader of readers) {
        const seen = await reader.readAll(Math.max(...newest.values()));
        const revisions = seen.map(({ revision }) => revision);
        expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
        expect(new Map(seen.map(({ id, revision }) => [id, revision]))).toEqual(newest);
      }
    }),
    { numRuns: 25 },
  );
});

/** One reader, which reads in the background as many states as it is told to. */
function readOnDemand(watch: TaskSubscription) {
  const seen: VisibleRecord[] = [];
  let wanted = 0;
  let reading = Promise.resolve();

  function read(states: number): Promise<void> {
    wanted += states;
    reading = reading.then(async () => {
      for (; wanted > 0; wanted -= 1) {
        const { value } = await watch.next();
        if (!value) throw new Error('The watch ended by itself');
        seen.push(value);
      }
    });
    return reading;
  }

  return {
    read,
    /** Reads nothing more than what it may be waiting for. */
    rest: () => (wanted = Math.min(wanted, 1)),
    /** Has it read until it has seen the very last change. */
    async readAll(last: number): Promise<readonly VisibleRecord[]> {
      await reading;
      while (seen.at(-1)?.revision !== last) await read(1);
      await watch.return();
      return seen;
    },
  };
}

/** Plays the commands; returns the newest revision of each task. */
async function play(
  { held, store }: HeldGateway,
  owner: string,
  readers: readonly ReturnType<typeof readOnDemand>[],
  commands: readonly Command[],
): Promise<ReadonlyMap<string, number>> {
  const tasks: VisibleRecord[] = [];
  const begun: Hold[] = [];
  const add = async (amount: number): Promise<void> => {
    tasks.push(...(await Promise.all(Array.from({ length: amount }, () => addTask(store, { owner })))));
  };
  for (const command of commands) {
    if (command.kind === 'add') await add(command.count);
    else if (command.kind === 'change')
      await Promise.all(
        tasks.slice(0, command.count).map(async (task, index) => (tasks[index] = await change(store, task))),
      );
    else if (command.kind === 'read') void readers[command.who]?.read(command.count);
    else if (command.kind === 'hold') begun.push(held[command.when]('changesAfter'));
    else begun.shift()?.release();
  }
  for (const { release } of begun) release();
  for (const { rest } of readers) rest();
  // Also ends the reads that may still be waiting.
  await add(1);
  return new Map(tasks.map(({ id, revision }) => [id, revision]));
}
