import fc from 'fast-check';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { cancelTask, type CancelResult } from '../../src/tasks/cancel.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';
import { NOW, idsOf, insertVisible, claimSubmissions } from './records.ts';
import { openReplica } from './replicas.ts';
import { STORES } from './stores.ts';

const TASKS = 5;

type Step =
  | { readonly kind: 'send'; readonly limit: number }
  | { readonly kind: 'cancel'; readonly place: number }
  | { readonly kind: 'pause' };

const STEPS = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('send' as const), limit: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('cancel' as const), place: fc.nat(TASKS - 1) }),
    fc.record({ kind: fc.constant('pause' as const) }),
  ),
  { maxLength: 25 },
);

/** Who sends and who cancels: the same process, or another one on the same database. */
interface Parties {
  readonly sender: TaskStore;
  readonly canceller: TaskStore;
}

const KINDS: readonly { readonly name: string; open(): Promise<Parties> }[] = [
  ...STORES.map(({ name, open }) => ({
    name,
    async open() {
      const { store } = await open();
      return { sender: store, canceller: store };
    },
  })),
  {
    name: 'PostgreSQL, by two processes',
    async open() {
      const url = await temporaryDatabase();
      const [sender, canceller] = await Promise.all([openReplica(url), openReplica(url)]);
      return { sender: sender.store, canceller: canceller.store };
    },
  },
];

const clock = createStandingClock(NOW);

/** Does all of it at once but for the pauses; returns what was handed out to be sent, and how each cancelling ended. */
async function run({ canceller, sender }: Parties, tasks: readonly VisibleRecord[], steps: readonly Step[]) {
  const sent: Promise<string[]>[] = [];
  const cancelled: Promise<CancelResult>[] = [];
  // In windows of no length each call takes as many as its limit allows.
  const send = async (limit: number): Promise<string[]> =>
    idsOf((await claimSubmissions(sender, { limit, windowMs: 0 })).records);
  for (const step of steps) {
    if (step.kind === 'send') sent.push(send(step.limit));
    else if (step.kind === 'pause') await setImmediate();
    else cancelled.push(cancelTask({ clock, store: canceller }, 'ann', tasks[step.place]?.id ?? ''));
  }
  const results = await Promise.all(cancelled);
  await Promise.all(sent);
  // Whatever is left waits no longer.
  sent.push(send(TASKS));
  return { sent: (await Promise.all(sent)).flat(), results };
}

describe.each(KINDS)('$name', ({ open }) => {
  it('a task that is cancelled while it is sent is either sent once or cancelled', async () => {
    const parties = await open();
    await fc.assert(
      fc.asyncProperty(STEPS, async (steps) => {
        const tasks = await Promise.all(
          Array.from({ length: TASKS }, () => insertVisible(parties.canceller)),
        );
        const { results, sent } = await run(parties, tasks, steps);
        const idsWith = (kind: CancelResult['kind']): Set<string> =>
          new Set(results.filter((result) => result.kind === kind).map(({ task }) => task.id));
        const cancelled = idsWith('cancelled');

        expect([...sent, ...cancelled].sort()).toEqual(idsOf(tasks).sort());
        for (const id of idsWith('too-late')) expect(sent).toContain(id);
        for (const { id } of tasks) {
          const record = await parties.sender.get(id);
          expect(record).toMatchObject(
            cancelled.has(id)
              ? { state: 'FAIL', failure: { code: 'CANCELLED' }, markedAt: null }
              : { state: 'SUBMITTING', failure: null, markedAt: NOW },
          );
        }
      }),
      { numRuns: 30 },
    );
  });
});
