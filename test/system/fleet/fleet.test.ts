import { expect, test } from 'vitest';
import type { ApiTask } from '../../kit/documents.ts';
import { onTestEnd } from '../../kit/waits.ts';
import { startPostgres, type PostgresServer } from '../../kit/postgres-server.ts';
import { queryDatabase } from '../../kit/store.ts';
import { randomFrom } from '../../kit/clock.ts';
import { createMilestones, type Milestones } from './fleet-milestones.ts';
import { followAll, followOne, isTerminal, openClient, type Experience } from './fleet-clients.ts';
import {
  busiest,
  queriedTwiceAtOnce,
  troublesOf,
  isUnknown,
  sawTheEnd,
  type KilledReplica,
} from './fleet-judge.ts';
import { startFleetProvider, type FleetProvider } from './fleet-provider.ts';
import { startFleet, type Fleet } from './fleet.ts';
import { readiness, type Replica } from '../../kit/gateway.ts';

const TASKS = 500;
const SUBSCRIBERS = 300;
/** How many wishes are asked for at the same time. */
const ASKERS = 100;
const CREATES_PER_10S = 150;
const QUERIES_PER_S = 8;
const OWNERS = ['ada', 'ben', 'cleo', 'dan', 'eve'];
const SEED = Number(process.env['FLEET_SEED'] ?? 1);

test(`three replicas that are killed, cut off and replaced, on a database that restarts, lose nothing (FLEET_SEED=${SEED})`, async () => {
  const startedAt = performance.now();
  const random = randomFrom(SEED);
  const postgres = await startPostgres();
  onTestEnd(() => postgres.remove());
  const provider = await startFleetProvider(random);
  const fleet = await startFleet({
    databaseUrl: postgres.url,
    providerUrl: provider.url,
    random,
    env: {
      API_KEYS: OWNERS.map((owner) => `${owner}:${keyOf(owner)}`).join(','),
      KIE_CREATES_PER_10S: String(CREATES_PER_10S),
      KIE_QUERIES_PER_S: String(QUERIES_PER_S),
      CREATE_WAIT_MS: '5000',
      CREATE_TIMEOUT_MS: '5000',
      SUBMISSION_GRACE_MS: '10000',
    },
  });
  await Promise.all(['r1', 'r2', 'r3'].map((name) => fleet.add(name)));

  const ended = createMilestones('tasks that a subscriber saw end');
  const experience: Experience = {
    closings: [],
    errors: new Map(),
    troubles: [],
    isOver: false,
    onChange: (task) => {
      if (isTerminal(task)) ended.add(task.id);
    },
  };
  const place = { pick: fleet.pick, experience };
  const followers = Array.from({ length: SUBSCRIBERS / 2 }, (_, index) => {
    const owner = OWNERS[index % OWNERS.length] ?? '';
    const client = openClient(keyOf(owner), place);
    return { owner, client, tasks: followAll(client, place) };
  });
  const watchers = Array.from({ length: SUBSCRIBERS / 2 }, (_, index) =>
    openClient(keyOf(OWNERS[index % OWNERS.length] ?? ''), place),
  );

  const wishes = Array.from({ length: TASKS }, (_, index) => ({
    owner: OWNERS[index % OWNERS.length] ?? '',
    prompt: `wish ${index}`,
    watcher: watchers[index % watchers.length],
  }));
  const last = new Map<string, ApiTask>();
  const owners = new Map<string, string>();
  let next = 0;
  async function ask(): Promise<void> {
    for (let wish = wishes[next++]; wish; wish = wishes[next++]) {
      const { owner, prompt, watcher } = wish;
      const { id } = await fleet.create(keyOf(owner), prompt);
      owners.set(id, owner);
      if (watcher) watching.push(followOne(watcher, id, place).then((task) => void last.set(id, task)));
    }
  }
  const watching: Promise<void>[] = [];
  const asking = Promise.all(Array.from({ length: ASKERS }, ask));
  const killed = await disturb({ ended, experience, fleet, postgres, provider });
  await asking;
  await Promise.all(watching);
  // Revised ends come after the first ones.
  for (const { owner, tasks } of followers) {
    const prompts = wishes.filter((wish) => wish.owner === owner).map(({ prompt }) => prompt);
    const troubles = (): readonly string[] => [
      ...prompts.filter((prompt) => ![...tasks.values()].some((task) => task.prompt === prompt)),
      ...troublesOf(tasks.values(), provider.creates, killed),
    ];
    await expect.poll(troubles, { timeout: 30_000 }).toEqual([]);
  }
  provider.stop();
  const ends = new Map(followers.flatMap(({ tasks }) => [...tasks]));
  const why = `FLEET_SEED=${SEED}`;
  expect(experience.troubles, why).toEqual([]);
  expect([...experience.errors.keys()].filter((code) => code !== 'SERVICE_UNAVAILABLE')).toEqual([]);
  for (const { owner, tasks } of followers) {
    const mine = [...ends.values()].filter(({ id }) => owners.get(id) === owner);
    expect([...tasks.values()].sort(byId)).toEqual(mine.sort(byId));
  }
  expect(
    [...last.values()].filter((seen) => !sawTheEnd(seen, ends.get(seen.id))),
    why,
  ).toEqual([]);
  expect(last.size).toBe(TASKS);
  // By the provider's clock, with room for what a busy machine delays; by our own below, exactly.
  expect(busiest(provider.creates, 9000), why).toBeLessThanOrEqual(CREATES_PER_10S);
  expect(queriedTwiceAtOnce(provider.queries), why).toEqual([]);
  const limits = [
    { kind: 'create', calls: provider.creates.length, limit: CREATES_PER_10S, windowMs: 10_000 },
    { kind: 'query', calls: provider.queries.length, limit: QUERIES_PER_S, windowMs: 1000 },
  ];
  for (const { calls, kind, limit, windowMs } of limits) {
    const slots = await slotsOf(postgres.url, kind);
    expect(slots.length, `${kind}, ${why}`).toBeGreaterThanOrEqual(calls);
    expect(busiest(slots, windowMs), `${kind}, ${why}`).toBeLessThanOrEqual(limit);
  }
  experience.isOver = true;
  const clients = [...watchers, ...followers.map(({ client }) => client)];
  await Promise.all(clients.map(async (client) => client.dispose()));
  for (const replica of [...fleet.replicas])
    expect(await fleet.end(replica, 'SIGTERM'), `${replica.name}, ${why}`).toEqual({ code: 0, signal: null });
  console.log(figures());

  function figures(): string {
    const unknown = [...ends.values()].filter(isUnknown).length;
    const revised = [...last.values()].filter(isUnknown).length - unknown;
    const say = (counts: ReadonlyMap<unknown, number>): string =>
      [...counts].map(([what, count]) => `${String(what)} ${count}`).join(', ');
    return [
      `Fleet, seed ${SEED}, ${Math.round((performance.now() - startedAt) / 1000)} s: ${last.size} tasks`,
      `${provider.creates.length} create calls, at most ${busiest(provider.creates, 10_000)} in 10 s`,
      `${provider.queries.length} queries, ${unknown} SUBMISSION_UNKNOWN and ${revised} more for a while`,
      `${experience.closings.length} sockets closed, operations ended with: ${say(experience.errors)}`,
      `requests repeated after: ${say(fleet.repetitions)}, callbacks answered: ${say(provider.answers)}`,
    ].join('; ');
  }
}, 240_000);

async function slotsOf(databaseUrl: string, kind: string): Promise<readonly { readonly at: number }[]> {
  const rows = await queryDatabase(databaseUrl, `select taken_at from slots where kind = '${kind}'`);
  return rows.map((row) => ({ at: Number(row['taken_at']) }));
}

function byId(one: ApiTask, other: ApiTask): number {
  return one.id < other.id ? -1 : 1;
}
/** What a replica logs when its patience with the database was not enough. */
const OUTLASTED = 'submitter: claiming tasks failed; retrying in 5000 ms';

function keyOf(owner: string): string {
  return `the-key-of-${owner}-which-nobody-guesses`;
}

interface World {
  readonly ended: Milestones;
  readonly experience: Experience;
  readonly fleet: Fleet;
  readonly postgres: PostgresServer;
  readonly provider: FleetProvider;
}

/** Everything that befalls the fleet, one thing after the other; returns who was killed, and when. */
async function disturb({ ended, experience, fleet, postgres, provider }: World): Promise<KilledReplica> {
  const [first, second, third] = fleet.replicas;
  if (!first || !second || !third) throw new Error('the fleet is too small');

  await ended.reached(30);
  await provider.received(first.name);
  const killedAt = performance.now();
  await fleet.end(first, 'SIGKILL');

  await ended.reached(80);
  await outlives(second, 'blackHole');
  await fleet.add('r4');

  await ended.reached(200);
  await outlives(second, 'cut');

  await ended.reached(260);
  const exited = fleet.end(third, 'SIGTERM');
  await fleet.add('r5');
  expect(await exited).toEqual({ code: 0, signal: null });

  await ended.reached(330);
  await postgres.stop();
  await Promise.all(fleet.replicas.map((replica) => readiness(replica, 503)));
  await Promise.all(fleet.replicas.map((replica) => replica.logged(OUTLASTED)));
  await postgres.start();
  await Promise.all(fleet.replicas.map((replica) => readiness(replica, 200)));
  return { name: first.name, at: killedAt };

  /** Loses its database, says so, and keeps its sockets. */
  async function outlives(replica: Replica, trouble: 'blackHole' | 'cut'): Promise<void> {
    const closed = (): number => experience.closings.filter(({ origin }) => origin === replica.url).length;
    const before = closed();
    replica.network[trouble]();
    await readiness(replica, 503);
    await replica.logged(OUTLASTED);
    replica.network.pass();
    await readiness(replica, 200);
    expect(closed(), `sockets of the replica behind the ${trouble}`).toBe(before);
  }
}
