import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { randomFrom } from '../kit/clock.ts';
import { bundleMortalGateway, createSuccession } from '../kit/crash.ts';
import { createPatientClient, follow, isTerminal, stepsBack } from '../kit/crash-clients.ts';
import { startCrashProvider, troubleOf, type Reaction } from '../kit/crash-provider.ts';
import type { ApiTask } from '../kit/documents.ts';
import { emptyDatabase } from '../kit/store.ts';
import { oncePerFile } from '../kit/waits.ts';

const WISHES_PER_ROUND = 8;
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

const program = await oncePerFile(bundleMortalGateway)();

test.each([
  ['SQLite', 20],
  ['PostgreSQL', 10],
] as const)(
  `on %s, killed %i times at random moments of the traffic (CRASH_SEED=${SEED}), it loses nothing and pays for nothing twice`,
  async (store, kills) => {
    const random = randomFrom(SEED);
    const provider = await startCrashProvider(() => reactionFrom(random));
    provider.finishTasks();
    const isShared = store === 'PostgreSQL';
    const succession = await createSuccession({
      program,
      providerUrl: provider.url,
      env: {
        // What the dead have left on a shared store is free when its time has run out, which is short here.
        ...(isShared && { DATABASE_URL: await emptyDatabase(), CREATE_TIMEOUT_MS: '1500' }),
        CREATE_WAIT_MS: '200',
        SUBMISSION_GRACE_MS: '1000',
        KIE_CREATES_PER_10S: '1000',
      },
      timings: {
        ...(isShared && { markMargin: 300, submitLease: 500, checkLease: 500 }),
        idleLook: 100,
        outcomeLook: 50,
        checkIntervalMin: 200,
        checkIntervalMax: 500,
        resendFirstMin: 20,
        resendFirstMax: 100,
        resendMax: 200,
      },
    });
    const client = createPatientClient(succession);
    const follower = follow(succession);

    const wish = async (prompt: string, afterMs: number) => {
      await delay(afterMs);
      return { prompt, result: await client.create(prompt, `the key of ${prompt}`) };
    };
    const wishes: ReturnType<typeof wish>[] = [];
    succession.load();
    for (let round = 1; round <= kills; round += 1) {
      succession.load();
      const gateway = await succession.start();
      for (let number = 1; number <= WISHES_PER_ROUND; number += 1)
        wishes.push(wish(`wish ${number} of round ${round}`, random() * 800));
      // The moment is what this is about: nothing is waited for.
      await delay(random() * 1200);
      await gateway.end('SIGKILL');
    }
    await succession.start();

    for (const { prompt, result } of await Promise.all(wishes)) {
      const mine = () => provider.creates.filter((create) => create.prompt === prompt);
      if (result.__typename === 'ProviderError') {
        expect(mine().filter(({ reaction: { fate } }) => fate === 'taken' || fate === 'lost')).toEqual([]);
        continue;
      }
      if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
      const { id } = result.task;
      // Asked of each state anew: its call may leave after the wish was answered.
      const mustSucceed = () =>
        mine().some(
          ({ reaction, taskId }) => taskId === id && reaction.fate === 'taken' && reaction.callbacks !== 0,
        );
      const hasEnded = (task: ApiTask) => (mustSucceed() ? task.state === 'SUCCESS' : isTerminal(task));
      await follower.sees((task) => task.id === id && hasEnded(task));
    }
    const ids = new Set(follower.seen.map(({ id }) => id));
    const found = await Promise.all([...ids].map((id) => client.find(id)));
    const tasks = found.filter((task) => task !== null);
    const troubles = tasks.map((task) =>
      troubleOf(
        task,
        provider.creates.filter(({ prompt }) => prompt === task.prompt),
        () => true,
      ),
    );
    const why = `CRASH_SEED=${SEED}`;
    expect(
      troubles.filter((trouble) => trouble !== null),
      why,
    ).toEqual([]);
    const stored = new Map(tasks.map((task) => [task.id, task]));
    for (const { prompt, result } of await Promise.all(wishes))
      if (result.__typename === 'CreateImageToVideoSuccess')
        expect(stored.get(result.task.id)?.prompt, why).toBe(prompt);
    expect(stepsBack(follower.seen), why).toEqual([]);
    expect(new Map(follower.seen.map((task) => [task.id, task])), why).toEqual(stored);
  },
  // A bound for what hangs.
  600_000,
);

/** Some are taken, some refused, some in doubt; answers and callbacks come at all speeds, twice or never. */
function reactionFrom(random: () => number): Reaction {
  const delayMs = random() < 0.5 ? 0 : random() * 400;
  const durationMs = random() * 800;
  const kind = random();
  if (kind < 0.1) return { fate: 'refused', answer: 'arrives', delayMs };
  if (kind < 0.2) return { fate: 'not now', answer: 'arrives', delayMs };
  if (kind < 0.3) return { fate: 'lost', answer: random() < 0.5 ? 'arrives' : 'cut', delayMs };
  const luck = random();
  const callbacks = luck < 0.2 ? 0 : luck < 0.4 ? 2 : 1;
  return { fate: 'taken', answer: kind < 0.4 ? 'cut' : 'arrives', delayMs, durationMs, callbacks };
}
