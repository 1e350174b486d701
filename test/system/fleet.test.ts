import { expect, test } from 'vitest';
import { randomFrom } from '../kit/clock.ts';
import {
  createPatientClient,
  follow,
  isTerminal,
  openPatientSocket,
  stepsBack,
} from '../kit/crash-clients.ts';
import {
  startCrashProvider,
  troubleOf,
  type Create,
  type Query,
  type Reaction,
} from '../kit/crash-provider.ts';
import { type ApiTask, TASK_UPDATED } from '../kit/documents.ts';
import { HMAC_KEY, readiness, startReplica, type Replica } from '../kit/gateway.ts';
import { startBalancer } from '../kit/http-proxy.ts';
import { startPostgres } from '../kit/postgres-server.ts';
import { queryDatabase } from '../kit/store.ts';
import { onTestEnd } from '../kit/waits.ts';

const TASKS = 400;
const SUBSCRIBERS = 200;
const ASKERS = 100;
const CREATES_PER_10S = 150;
const QUERIES_PER_S = 8;
const OWNERS = ['ada', 'ben', 'cleo', 'dan', 'eve'];
const SEED = Number(process.env['FLEET_SEED'] ?? 1);
/** What a replica logs when its patience with the database was not enough. */
const OUTLASTED = 'submitter: claiming tasks failed; retrying in 5000 ms';

test(`three replicas that are killed, cut off and replaced, on a database that restarts, lose nothing (FLEET_SEED=${SEED})`, async () => {
  const random = randomFrom(SEED);
  const postgres = await startPostgres();
  onTestEnd(() => postgres.remove());
  const provider = await startCrashProvider(
    () => reactionFrom(random),
    () => 50 + random() * 200,
  );
  provider.finishTasks();
  const { add, closings, end, pick, replicas } = await startFleet(postgres.url, provider.url, random);

  const placeOf = (owner: string) => ({
    origin: pick,
    credential: keyOf(owner),
    onClosed: (origin: string) => closings.push(origin),
  });
  const followers = subscribers((owner) => ({ owner, ...follow(placeOf(owner)) }));
  const watchers = subscribers((owner) => openPatientSocket(placeOf(owner)));
  const wishes = Array.from({ length: TASKS }, (_, index) => `wish ${index}`);
  const last = new Map<string, ApiTask>();
  const watching: Promise<void>[] = [];
  let next = 0;
  async function ask(): Promise<void> {
    for (let index = next++; index < TASKS; index = next++) {
      const prompt = wishes[index] ?? '';
      const result = await createPatientClient(placeOf(ownerOf(index))).create(prompt, prompt);
      if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
      const { id } = result.task;
      const watcher = watchers[index % watchers.length];
      const take = ({ taskUpdated }: { readonly taskUpdated: ApiTask }) => void last.set(id, taskUpdated);
      if (watcher) watching.push(watcher.subscribe(TASK_UPDATED, () => ({ id }), take));
    }
  }
  const asking = Promise.all(Array.from({ length: ASKERS }, ask));
  const killed = await disturb();
  await asking;
  await Promise.all(watching);

  const marks = await queryDatabase(
    postgres.url,
    'select id, marked_at from tasks where marked_at is not null',
  );
  const markedAt = new Map(
    marks.map((row) => [row['id'], Number(row['marked_at']) - performance.timeOrigin]),
  );
  const ends = (follower: (typeof followers)[number]) =>
    new Map(follower.seen.map((task) => [task.id, task]));
  // Revised ends come after the first ones.
  for (const follower of followers) {
    const prompts = wishes.filter((_, index) => ownerOf(index) === follower.owner);
    const troubles = () => {
      const tasks = [...ends(follower).values()];
      return [
        ...prompts.filter((prompt) => !tasks.some((task) => task.prompt === prompt)),
        ...tasks.map((task) => troubleOf(task, createsOf(task.prompt), isDoubtfulFor(task))).filter(Boolean),
      ];
    };
    await expect.poll(troubles, { timeout: 30_000 }).toEqual([]);
    expect(stepsBack(follower.seen)).toEqual([]);
  }
  const all = new Map(followers.flatMap((follower) => [...ends(follower)]));
  for (const follower of followers) {
    const [mine] = followers.filter(({ owner }) => owner === follower.owner);
    expect(ends(follower)).toEqual(mine && ends(mine));
  }
  // Only an end that was concluded from silence may have given way since.
  const sawTheEnd = ({ failure, id, revision }: ApiTask) =>
    all.get(id)?.revision === revision || failure?.code === 'SUBMISSION_UNKNOWN';
  expect([...last.values()].filter((task) => !isTerminal(task) || !sawTheEnd(task))).toEqual([]);
  expect([last.size, all.size]).toEqual([TASKS, TASKS]);

  // By the provider's clock, with room for what a busy machine delays; by our own below, exactly.
  expect(busiest(provider.creates, 9000)).toBeLessThanOrEqual(CREATES_PER_10S);
  expect(queriedTwiceAtOnce(provider.queries)).toEqual([]);
  for (const [kind, calls, limit, windowMs] of [
    ['create', provider.creates, CREATES_PER_10S, 10_000],
    ['query', provider.queries, QUERIES_PER_S, 1000],
  ] as const) {
    const rows = await queryDatabase(postgres.url, `select taken_at from slots where kind = '${kind}'`);
    const slots = rows.map((row) => ({ at: Number(row['taken_at']) }));
    expect(slots.length, kind).toBeGreaterThanOrEqual(calls.length);
    expect(busiest(slots, windowMs), kind).toBeLessThanOrEqual(limit);
  }
  for (const replica of [...replicas])
    expect(await end(replica, 'SIGTERM'), replica.name).toEqual({ code: 0, signal: null });

  /** Everything that befalls the fleet, one thing after the other; returns who was killed, and when. */
  async function disturb() {
    const [first, second, third] = replicas;
    if (!first || !second || !third) throw new Error('the fleet is too small');
    await ended(30);
    await provider.received(({ caller, closedAt }) => caller === first.name && closedAt === null);
    const at = performance.now();
    await end(first, 'SIGKILL');

    await ended(80);
    await outlives(second, 'blackHole');
    const fourth = await add('r4');
    // Wake-ups that never arrive delay changes and lose none.
    await expect
      .poll(() => fourth.network.holdThoseThatSaid('listen "kineograph"'), { timeout: 30_000 })
      .toBe(1);
    await ended(150);
    await outlives(second, 'cut');

    await ended(200);
    const exited = end(third, 'SIGTERM');
    await add('r5');
    expect(await exited).toEqual({ code: 0, signal: null });

    await ended(250);
    await postgres.stop();
    await Promise.all(replicas.map((replica) => readiness(replica, 503)));
    await Promise.all(replicas.map((replica) => replica.logged(OUTLASTED)));
    await postgres.start();
    await Promise.all(replicas.map((replica) => readiness(replica, 200)));
    return { name: first.name, at };
  }

  /** Fulfilled when subscribers have seen so many tasks end. */
  async function ended(count: number): Promise<void> {
    const one = followers.slice(0, OWNERS.length);
    const seen = () =>
      new Set(one.flatMap((follower) => follower.seen.filter(isTerminal)).map(({ id }) => id));
    await expect.poll(() => seen().size, { timeout: 120_000 }).toBeGreaterThanOrEqual(count);
  }

  /** Loses its database, says so, and keeps its sockets. */
  async function outlives(replica: Replica, trouble: 'blackHole' | 'cut'): Promise<void> {
    const closed = () => closings.filter((origin) => origin === replica.url).length;
    const before = closed();
    replica.network[trouble]();
    expect((await readiness(replica, 503)).headers.get('retry-after')).toBe('5');
    await replica.logged(OUTLASTED);
    replica.network.pass();
    await readiness(replica, 200);
    expect(closed(), `sockets of the replica behind the ${trouble}`).toBe(before);
  }

  function createsOf(prompt: string): readonly Create[] {
    return provider.creates.filter((create) => create.prompt === prompt);
  }

  /**
   * The outcome may have died with the killed replica: the call's connection broke then, or so shortly before that the outcome
   * may not have been stored; or the replica had marked the task for its first call, or for the next after "not now", and did
   * not send it.
   */
  function isDoubtfulFor({ id }: ApiTask) {
    return (create: Create | undefined): boolean => {
      if (!create || create.reaction.fate === 'not now') {
        const marked = markedAt.get(id) ?? Infinity;
        return marked <= killed.at && marked > killed.at - 5000;
      }
      if (create.caller !== killed.name) return false;
      return create.at <= killed.at + 1000 && (create.closedAt ?? Infinity) > killed.at - 1000;
    };
  }
}, 300_000);

function ownerOf(index: number): string {
  return OWNERS[index % OWNERS.length] ?? '';
}

function keyOf(owner: string): string {
  return `the-key-of-${owner}-which-nobody-guesses`;
}

function subscribers<T>(one: (owner: string) => T): readonly T[] {
  return Array.from({ length: SUBSCRIBERS / 2 }, (_, index) => one(ownerOf(index)));
}

/** Answers at all speeds; loses answers and callbacks, and doubles callbacks. */
function reactionFrom(random: () => number): Reaction {
  const [kind, luck] = [random(), random()];
  return {
    fate: kind < 0.05 ? 'not now' : kind < 0.07 ? 'lost' : 'taken',
    answer: kind < 0.07 || kind > 0.1 ? 'arrives' : 'cut',
    delayMs: 50 + random() * 350,
    durationMs: random() * 2500,
    end: random() < 0.9 ? 'SUCCESS' : 'FAIL',
    callbacks: luck < 0.1 ? 0 : luck < 0.2 ? 2 : 1,
  };
}

/** Three replicas behind an address that stays; more may be added, and each may be ended. */
async function startFleet(databaseUrl: string, providerUrl: string, random: () => number) {
  const replicas: Replica[] = [];
  const pick = (): string => {
    const replica = replicas[Math.floor(random() * replicas.length)];
    if (!replica) throw new Error('no replica lives');
    return replica.url;
  };
  const env = {
    KIE_API_URL: providerUrl,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    PUBLIC_URL: (await startBalancer(pick)).url,
    API_KEYS: OWNERS.map((owner) => `${owner}:${keyOf(owner)}`).join(','),
    KIE_CREATES_PER_10S: String(CREATES_PER_10S),
    KIE_QUERIES_PER_S: String(QUERIES_PER_S),
    CREATE_WAIT_MS: '5000',
    CREATE_TIMEOUT_MS: '5000',
    SUBMISSION_GRACE_MS: '10000',
  };
  const add = async (name: string): Promise<Replica> => {
    const replica = await startReplica(name, { databaseUrl, env });
    replicas.push(replica);
    return replica;
  };
  await Promise.all(['r1', 'r2', 'r3'].map(add));
  return {
    replicas,
    pick,
    add,
    /** The origins of sockets that were closed. */
    closings: [] as string[],
    /** Sends no more clients there, then signals it. */
    end(replica: Replica, signal: NodeJS.Signals) {
      replicas.splice(replicas.indexOf(replica), 1);
      return replica.end(signal);
    },
  };
}

/** The most calls that there were within so many ms. */
function busiest(calls: readonly { readonly at: number }[], windowMs: number): number {
  const times = calls.map(({ at }) => at).sort((a, b) => a - b);
  let most = 0;
  let start = 0;
  for (const [index, at] of times.entries()) {
    while ((times[start] ?? at) <= at - windowMs) start += 1;
    most = Math.max(most, index - start + 1);
  }
  return most;
}

/** Queries for one task by different replicas that overlap. */
function queriedTwiceAtOnce(queries: readonly Query[]): readonly string[] {
  const found: string[] = [];
  const newest = new Map<string, Query>();
  for (const query of queries) {
    const before = newest.get(query.providerTaskId);
    if (before && before.caller !== query.caller && before.until > query.at)
      found.push(`${query.providerTaskId} by ${before.caller} and ${query.caller}`);
    newest.set(query.providerTaskId, query);
  }
  return found;
}
