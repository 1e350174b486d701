import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { StoreLocation } from '../../src/store/open-connections.ts';
import { quickDir } from '../kit/gateway.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { randomFrom } from '../kit/clock.ts';
import { judge, judgeEnd } from './judge.ts';
import { life, type Step } from './inputs.ts';
import { createWorld } from './world.ts';

/** How many lives are tried; more for a longer search: `RUNS=2000 SEED=1 npx vitest run --project test test/properties`. */
const runsOf = (usual: number): number => Number(process.env['RUNS'] ?? usual);
/** The same lives in every run unless another seed is given: a gate must not depend on luck. */
const SEED = Number(process.env['SEED'] ?? 20_261_122);

/** Long enough for every deadline. */
const REST: Step = { step: 'wait', seconds: 45 * 60, isQuiet: true };

const STORES = [
  { store: 'SQLite', runs: runsOf(30), locate: directory },
  // Every statement is a round trip there.
  { store: 'PostgreSQL', runs: runsOf(3), locate: database },
];

describe.each(STORES)('whatever happens to tasks on $store, in whatever order', ({ locate, runs }) => {
  test(
    `each one stands as the rules say, is seen so, and is sent once (${runs} lives, seed ${SEED})`,
    async () => {
      const property = fc.asyncProperty(life, async (steps) => live(steps, await locate()));
      await fc.assert(property, { seed: SEED, numRuns: runs });
    },
    // A bound for what hangs.
    60_000 + runs * 20_000,
  );
});

/** Lives through the steps, judges after each, and shows the whole life where one is wrong. */
async function live(steps: readonly Step[], location: StoreLocation): Promise<void> {
  vi.spyOn(Math, 'random').mockImplementation(randomFrom(steps.length));
  const world = await createWorld(location);
  try {
    for (const step of [...steps, REST]) {
      await world.take(step);
      expect(await judge(world), `\n${world.trace.join('\n')}\n`).toEqual([]);
    }
    expect(await judgeEnd(world), `\n${world.trace.join('\n')}\n`).toEqual([]);
  } finally {
    await world.end();
    vi.restoreAllMocks();
  }
}

async function directory(): Promise<StoreLocation> {
  return { kind: 'sqlite', dataDir: await quickDir() };
}

async function database(): Promise<StoreLocation> {
  return { kind: 'postgres', url: await temporaryDatabase(), readers: 2 };
}
