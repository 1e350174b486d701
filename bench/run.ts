import { setTimeout as delay } from 'node:timers/promises';
import type { Options } from './options.ts';
import type { Case, Figures, Scenario } from './scenarios/scenario.ts';
import type { SubjectName } from './subjects/subject.ts';
import type { World } from './subjects/world.ts';
import { minutesSince } from './support/minutes-since.ts';
import { isAlive } from './support/processes.ts';
import { profileOf } from './support/profile.ts';

/** What is measured, and when. */
interface Measurement {
  readonly scenario: string;
  readonly label: string;
  readonly subject: SubjectName;
  readonly round: number;
}

/** What it gave. */
export interface Sample extends Measurement {
  /** null when the server did not live through it, or could not do it; `trouble` says what happened. */
  readonly figures: Figures | null;
  readonly trouble: string | null;
}

/** How long it takes at most until an end is known. */
const END_MS = 1000;

/** Runs all scenarios, and says how long each took. */
export async function runAll(world: World, options: Options, say: (line: string) => void): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const scenario of options.scenarios) {
    say(`\n${scenario.name}`);
    const started = performance.now();
    for await (const sample of runScenario(world, scenario, options)) {
      samples.push(sample);
      say(describe(sample));
    }
    say(`  ${minutesSince(started)}`);
  }
  return samples;
}

/** In alternating rounds: A, B, C, D, K, A, B, … */
async function* runScenario(
  world: World,
  { cases, name }: Scenario,
  { isQuick, profiles, rounds, subjects }: Options,
): AsyncGenerator<Sample> {
  for (const one of cases({ isQuick })) {
    for (let round = 1; round <= rounds; round += 1) {
      for (const subject of one.subjects.filter((name) => subjects?.includes(name) ?? true))
        yield await measure(world, one, { scenario: name, label: one.label, subject, round }, profiles);
    }
  }
}

async function measure(
  world: World,
  { measure: run, needs }: Case,
  what: Measurement,
  profiles: string | null,
): Promise<Sample> {
  const { label, round, scenario, subject: name } = what;
  const profile = profiles === null ? null : profileOf(profiles, [scenario, label, name, `round ${round}`]);
  const subject = await world.start(name, needs, profile);
  try {
    return { ...what, figures: await run(subject), trouble: null };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Its sockets break before it is known that a process has ended.
    await delay(END_MS);
    const trouble = subject.pids.every(isAlive) ? message : `the server's process ended (${message})`;
    return { ...what, figures: null, trouble };
  } finally {
    await subject.stop();
  }
}

function describe({ figures, label, round, subject, trouble }: Sample): string {
  const head = `  ${label.padEnd(29)} round ${round}  ${subject.padEnd(8)}`;
  if (!figures) return `${head} FAILED: ${trouble ?? ''}`;
  const shown = Object.entries(figures).map(([name, value]) => `${name} ${rounded(value)}`);
  return `${head} ${shown.join(' · ')}`;
}

function rounded(value: number): string {
  return Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(3)));
}
