import fc from 'fast-check';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { onTestEnd } from '../support/leftovers.ts';
import { randomFrom } from '../support/random.ts';
import { judge, judgeEnd } from './judge.ts';
import { life, type Step } from './steps.ts';
import { createWorld } from './world.ts';

/** How many lives are tried; more for a longer search: `RUNS=2000 SEED=1 npx vitest run --project test test/properties`. */
const RUNS = Number(process.env['RUNS'] ?? 60);
/** The same lives in every run unless another seed is given: a gate must not depend on luck. */
const SEED = Number(process.env['SEED'] ?? 20_261_122);

/** Long enough for every deadline. */
const REST: Step = { step: 'wait', seconds: 45 * 60, isQuiet: true };

describe('whatever happens to tasks, in whatever order', () => {
  test(
    `each one stands as the rules say, is seen so, and is sent once (${RUNS} lives, seed ${SEED})`,
    async () => {
      await fc.assert(fc.asyncProperty(life, live), { seed: SEED, numRuns: RUNS });
    },
    RUNS * 2000,
  );
});

/** Lives through the steps, judges after each, and shows the whole life where one is wrong. */
async function live(steps: readonly Step[]): Promise<void> {
  vi.spyOn(Math, 'random').mockImplementation(randomFrom(steps.length));
  const world = await createWorld(await quickDir());
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

/** In memory where there is such a place: a disk's speed is no part of the rules. */
async function quickDir(): Promise<string> {
  const dir = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kineograph-test-'));
  onTestEnd(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
