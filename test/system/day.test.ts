import { describe, expect, test } from 'vitest';
import type { TaskUpdate } from '../../src/tasks/apply-update.ts';
import type { CreateResult } from '../../src/tasks/create.ts';
import { isTerminal, type TaskRecord } from '../../src/tasks/task.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { randomFrom, createVirtualClock, type VirtualClock } from '../kit/clock.ts';
import { type SimulatedProcess, startSimulatedProcess, createSimulatedProvider } from '../kit/simulation.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 10, 22);
const WISHES = 2000;
const OWNERS = ['ada', 'ben', 'cleo', 'dan', 'eve'];

const at = (hours: number): number => START + hours * HOUR;
const OUTAGES = [
  [at(5), at(5.5)],
  [at(14), at(14.5)],
] as const;
const BURSTS_OF_429 = [
  [at(2), at(2) + 5 * MINUTE],
  [at(9), at(9) + 10 * MINUTE],
  [at(20), at(20) + 5 * MINUTE],
] as const;
/** When the process is killed, and how long it stays away; the second in the middle of a rush. */
const KILLS = [
  [at(3.2), 2 * MINUTE],
  [at(9) + 45_000, 1 * MINUTE],
  [at(16.7), 3 * MINUTE],
] as const;
/** Two hundred wishes within a minute: at these hours people come all at once. */
const RUSHES = [at(5) - 2 * MINUTE, at(9), at(12), at(16.7) - 30_000, at(20)];

interface Wish {
  readonly owner: string;
  readonly prompt: string;
  result: CreateResult | null;
}

describe('a day of 2,000 tasks with lost, doubled and late callbacks, outages, 429s and three kills', () => {
  test('every task reaches its true end, none is created twice, and no limit is broken', async () => {
    const day = await live();
    const { provider, records, wishes } = day;

    expect(day.errors).toEqual([]);
    expect(wishes.filter((wish) => wish.result === null)).toEqual([]);
    expect(provider.busiestTenSeconds()).toBeLessThanOrEqual(20);
    expect([...provider.doubtful.values()].filter((creates) => creates > 1)).toEqual([]);
    expect(records.filter((record) => !isTerminal(record.state))).toEqual([]);
    expect(records.map((record) => trouble(record)).filter((found) => found !== null)).toEqual([]);

    function trouble(record: TaskRecord): string | null {
      const truth = provider.taken.find((create) => create.callbackUrl.includes(record.id));
      const said = record.failure?.code ?? record.state;
      if (!truth) {
        const isInDoubt = [...provider.doubtful.keys()].some((url) => url.includes(record.id));
        const expected =
          isInDoubt || wasInTheAir(record)
            ? ['SUBMISSION_UNKNOWN']
            : ['UNREACHABLE', 'RATE_LIMITED', 'INVALID_INPUT'];
        return expected.includes(said) ? null : `${record.id}: nothing was created, but it says ${said}`;
      }
      const isKnown = record.providerTaskId !== null;
      if (!isKnown && said === 'SUBMISSION_UNKNOWN' && !truth.callbackArrived) return null;
      return isKnown && record.state === truth.end
        ? null
        : `${record.id}: it was ${truth.end}, but says ${said}`;
    }
    // A bound for what hangs: it is two minutes of work where nothing else goes on.
  }, 900_000);
});

/** Its create call had begun when the process was killed, so that whatever was answered is lost. */
function wasInTheAir({ markedAt }: TaskRecord): boolean {
  return KILLS.some(([when]) => markedAt !== null && markedAt <= when && markedAt > when - 3000);
}

async function live() {
  const dataDir = await temporaryDir();
  const random = randomFrom(20261122);
  const errors: string[] = [];
  let realWork = 0;
  const running: { process: SimulatedProcess | null } = { process: null };
  const clock = createVirtualClock(START, () => realWork > 0);
  const provider = createSimulatedProvider({ clock, random, call, outages: OUTAGES, bursts: BURSTS_OF_429 });
  const start = async (): Promise<void> => {
    running.process = await startSimulatedProcess({
      location: { kind: 'sqlite', dataDir },
      clock,
      provider,
      onError: (message) => errors.push(message),
      count: (change) => (realWork += change),
    });
  };

  /** As the webhook route does; false when nobody listens or the process dies before it answers. */
  async function call(callbackUrl: string, update: TaskUpdate): Promise<boolean> {
    if (!running.process) return false;
    const { died, tasks } = running.process;
    const [, , , taskId = '', token = ''] = new URL(callbackUrl).pathname.split('/');
    if (!tasks.isToken(taskId, token)) throw new Error('the provider was given a wrong token');
    const answer = { kind: 'update', update, callbackUrl: null } as const;
    const report = { taskId, providerTaskId: update.providerTaskId ?? '', answer, callbackUrl };
    const taken = tasks.receive(report, 'right');
    return Promise.race([taken.then((receipt) => receipt !== 'unknown-task'), died.then(() => false)]);
  }

  /** As a client with an idempotency key does: asks again until it is answered. */
  async function ask(wish: Wish): Promise<void> {
    const input = { prompt: wish.prompt, imageUrl: 'https://a.example/b.png', idempotencyKey: wish.prompt };
    while (wish.result === null) {
      const { process } = running;
      if (process)
        wish.result = await Promise.race([
          process.tasks.create(wish.owner, input),
          process.died.then(() => null),
        ]);
      if (wish.result === null) await clock.sleep(5000);
    }
  }

  await start();
  const wishes = makeWishes(clock, random, (wish) => void ask(wish));
  for (const [when, away] of KILLS) {
    await clock.runUntil(when);
    const { process } = running;
    running.process = null;
    await process?.kill();
    await clock.runUntil(when + away);
    await start();
  }
  await clock.runUntil(at(32));

  const records: TaskRecord[] = [];
  for (const { result } of wishes) {
    const record = result?.kind === 'success' ? await running.process?.store.get(result.task.id) : null;
    if (record) records.push(record);
  }
  await running.process?.kill();
  console.log(summary(records, provider.queries()));
  return { wishes, records, provider, errors };
}

function makeWishes(clock: VirtualClock, random: () => number, ask: (wish: Wish) => void): readonly Wish[] {
  return Array.from({ length: WISHES }, (_, index) => {
    const owner = OWNERS[index % OWNERS.length] ?? '';
    const wish: Wish = { owner, prompt: `wish ${index}`, result: null };
    const rush = RUSHES[Math.floor(index / 200)];
    const when = rush === undefined ? START + random() * 23 * HOUR : rush + random() * MINUTE;
    clock.after(when - START, () => {
      ask(wish);
    });
    return wish;
  });
}

function summary(records: readonly TaskRecord[], queries: number): string {
  const ends = new Map<string, number>();
  for (const { failure, state } of records) {
    const end = failure?.code ?? state;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  const counts = [...ends].map(([end, count]) => `${end} ${count}`).join(', ');
  return `${records.length} tasks ended: ${counts}; ${queries} queries`;
}
