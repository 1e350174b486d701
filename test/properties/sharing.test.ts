import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { eventually } from '../websocket/eventually.ts';
import { startWithProvider } from '../webhooks/called-back.ts';
import { floodStory, story, type Story } from './sharing-steps.ts';
import { createSharedTasks, readSlowly } from './sharing-tasks.ts';
import { createSharingWorld, type Seen } from './sharing-world.ts';
import { JWT_SECRET, startMarkedProvider, type MarkedProvider } from './two-owners.ts';

/** More for a longer search: `RUNS=2000 SEED=1 npx vitest run --project test test/properties/sharing.test.ts`. */
const runsOf = (usual: number): number => Number(process.env['RUNS'] ?? usual);
/** The same stories in every run unless another seed is given: a gate must not depend on luck. */
const SEED = Number(process.env['SEED'] ?? 20_261_122);

const READERS = [
  { readers: 'that keep up, and some that do not', stories: story, runs: runsOf(15), least: 'refusals' },
  { readers: 'of which one is flooded', stories: floodStory, runs: runsOf(3), least: 'skippers' },
] as const;

/** What the documents of these stories need, and more than a story takes. */
const ROOM = {
  MAX_ALIASES: '1000',
  MAX_DIRECTIVES: '100',
  MAX_OPERATIONS_PER_SECOND: '1000',
  KIE_CREATES_PER_10S: '10000',
};

describe.each(READERS)('among readers $readers', ({ least, runs, stories }) => {
  test(
    `each is sent what a server that shares nothing sends it (${runs} stories, seed ${SEED})`,
    async () => {
      const provider = await startMarkedProvider();
      const { gateway, ports } = await start(provider);
      const seen: Seen[] = [];

      async function live({ forms, steps }: Story): Promise<void> {
        const tasks = await createSharedTasks(gateway, provider, ports.feed);
        const world = createSharingWorld(gateway.graphqlUrl, tasks, forms);
        try {
          await tasks.create('a');
          await tasks.create('b');
          for (const step of steps) await world.take(step);
          const faults = [...(await world.judge()), ...(await tasks.faults())];
          expect(faults.join('\n'), `\n${world.trace.join('\n')}\n`).toBe('');
          seen.push(world.seen());
        } finally {
          await world.end();
          tasks.end();
        }
      }

      await fc.assert(fc.asyncProperty(stories, live), {
        seed: SEED,
        numRuns: runs,
        // Making a counterexample smaller ends here too.
        interruptAfterTimeLimit: 60_000 + runs * 6000,
        markInterruptAsFailure: true,
      });
      await eventually('no listener is left', () => gateway.app.stats().listeners === 0);
      // There was something to judge.
      expect(sum(seen, 'messages')).toBeGreaterThan(runs * 10);
      expect(sum(seen, least)).toBeGreaterThan(0);
    },
    90_000 + runs * 7000,
  );
});

function sum(seen: readonly Seen[], what: keyof Seen): number {
  return seen.reduce((total, one) => total + one[what], 0);
}

/** A gateway that announces tasks before the provider has taken them, reads slowly, and asks for nothing by itself. */
async function start(provider: MarkedProvider) {
  let ports: TaskPorts | undefined;
  const { gateway } = await startWithProvider({
    provider,
    env: { JWT_SECRET, CREATE_WAIT_MS: '0', ...ROOM },
    overrides: { wrap: (made) => (ports = { ...made, store: readSlowly(made.store) }) },
  });
  if (!ports) throw new Error('The gateway did not wrap its ports');
  return { gateway, ports };
}
