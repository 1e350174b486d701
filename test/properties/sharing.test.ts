import fc from 'fast-check';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { eventually } from '../live/eventually.ts';
import { onTestEnd } from '../support/leftovers.ts';
import { startQuietGateway } from '../webhooks/called-back.ts';
import { JWT_SECRET } from './isolation-doors.ts';
import { startMarkedProvider } from './isolation-provider.ts';
import { story, type Story } from './sharing-steps.ts';
import { createSharedTasks } from './sharing-tasks.ts';
import { createSharingWorld } from './sharing-world.ts';

/** More for a longer search: `RUNS=2000 SEED=1 npx vitest run --project test test/properties/sharing.test.ts`. */
const RUNS = Number(process.env['RUNS'] ?? 40);
/** The same stories in every run unless another seed is given: a gate must not depend on luck. */
const SEED = Number(process.env['SEED'] ?? 20_261_122);

/** What documents of these stories need, and no story meets. */
const ROOM = {
  MAX_ALIASES: '1000',
  MAX_DIRECTIVES: '100',
  MAX_OPERATIONS_PER_SECOND: '1000',
  KIE_CREATES_PER_10S: '10000',
};

test(
  `whoever subscribes beside it, each subscriber is sent what a plain server sends it (${RUNS} stories, seed ${SEED})`,
  async () => {
    const provider = await startMarkedProvider();
    const { gateway, ports } = await start(provider);
    const seen = { messages: 0, skippers: 0, refusals: 0 };
    let run = 0;

    async function live({ forms, steps }: Story): Promise<void> {
      const t0 = performance.now();
      const tasks = await createSharedTasks(gateway, provider, ports.feed, (run += 1));
      const world = createSharingWorld(gateway.graphqlUrl, tasks, forms);
      try {
        await tasks.create('a');
        await tasks.create('b');
        for (const step of steps) await world.take(step);
        const t1 = performance.now();
        const faults = [...(await world.judge()), ...(await tasks.faults())];
        const t2 = performance.now();
        console.log(
          run,
          steps.length,
          Math.round(t1 - t0),
          Math.round(t2 - t1),
          JSON.stringify(world.seen()),
          steps.some((o) => o.kind === 'flood'),
          tasks.changes().length,
        );
        expect(faults.join('\n'), `\n${world.trace.join('\n')}\n`).toBe('');
        for (const [name, count] of Object.entries(world.seen())) seen[name as keyof typeof seen] += count;
      } finally {
        await world.end();
        tasks.end();
      }
    }

    await fc.assert(fc.asyncProperty(story, live), {
      seed: SEED,
      numRuns: RUNS,
      endOnFailure: Boolean(process.env['QUICK']),
    });
    console.log(seen, run);
    // There was something to judge, of each kind.
    expect(seen.messages).toBeGreaterThan(RUNS * 10);
    expect(Math.min(seen.skippers, seen.refusals)).toBeGreaterThan(RUNS / 10);
    await eventually('no listener is left', () => gateway.app.stats().listeners === 0);
  },
  RUNS * 2000,
);

/** A gateway that announces tasks before the provider has taken them, and asks for nothing by itself. */
async function start(provider: Awaited<ReturnType<typeof startMarkedProvider>>) {
  let ports: TaskPorts | undefined;
  const { gateway } = await startQuietGateway({
    provider,
    dataDir: await quickDir(),
    env: { JWT_SECRET, CREATE_WAIT_MS: '0', ...ROOM },
    overrides: { wrap: (made) => (ports = made) },
  });
  if (!ports) throw new Error('The gateway did not wrap its ports');
  return { gateway, ports };
}

/** In memory where there is such a place: a disk's speed is no part of the promise. */
async function quickDir(): Promise<string> {
  const dir = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kineograph-test-'));
  onTestEnd(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
