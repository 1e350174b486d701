import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { type ApiCreateResult, type ApiTask, type ApiTaskConnection, TASKS } from '../kit/documents.ts';
import {
  createPatientClient,
  follow,
  stepsBack,
  type Follower,
  compileMortalGateway,
  createSuccession,
  type Succession,
  startCrashProvider,
  type Create,
  type Reaction,
} from '../kit/crash.ts';
import { graphql, type GraphqlHttpAnswer, dataOf } from '../kit/graphql.ts';
import { randomFrom } from '../kit/clock.ts';
import { sharedStore } from './shared-store.ts';

type Store = 'SQLite' | 'PostgreSQL';
const WISHES_PER_ROUND = 8;
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

const program = await compileMortalGateway();
afterAll(program.remove);

interface Wish {
  readonly prompt: string;
  readonly result: Promise<ApiCreateResult>;
}

test.each<[Store, number]>([
  ['SQLite', 20],
  ['PostgreSQL', 10],
])(
  `on %s, killed %i times at random moments of the traffic (CRASH_SEED=${SEED}), it loses nothing and pays for nothing twice`,
  survive,
  // A bound for what hangs.
  600_000,
);

async function survive(store: Store, kills: number): Promise<void> {
  const { creates, follower, tasks, wishes } = await live(store, kills, randomFrom(SEED));
  const why = `CRASH_SEED=${SEED}`;

  const troubles: string[] = [];
  for (const { prompt, result } of wishes) {
    const mine = creates.filter((create) => create.prompt === prompt);
    const trouble = troubleOf(await result, mine, tasks);
    if (trouble !== null) troubles.push(`${prompt}: ${trouble}`);
  }
  expect(troubles, why).toEqual([]);
  expect(stepsBack(follower.seen), why).toEqual([]);
  expect([...lastSeen(follower.seen).values()].sort(byId), why).toEqual([...tasks].sort(byId));
  console.log(`${store}: ${summary(tasks, creates)}`);
}

/** What is wrong with how a wish ended; null when all is well. */
function troubleOf(
  result: ApiCreateResult,
  creates: readonly Create[],
  tasks: readonly ApiTask[],
): string | null {
  const binding = creates.filter(({ fate }) => fate === 'taken' || fate === 'lost');
  if (binding.length > 1) return `${binding.length} create calls that could have been paid for`;
  const [create] = binding;
  if (result.__typename === 'ProviderError')
    return create ? `answered as refused, but it was ${create.fate}` : null;
  if (result.__typename !== 'CreateImageToVideoSuccess') return `answered with ${result.__typename}`;

  const { id } = result.task;
  if (create && create.taskId !== id) return 'another task than the one that was answered was created';
  const task = tasks.find((candidate) => candidate.id === id);
  if (!task) return `its task ${id} was lost`;
  const end = task.failure?.code ?? task.state;
  const isRight = truths(create, task).includes(end);
  return isRight ? null : `the provider says ${create?.fate ?? 'refused'}, the task says ${end}`;
}

function truths(create: Create | undefined, { providerTaskId }: ApiTask): readonly string[] {
  // Killed between the answer and the writing of it: nobody knows any more that nothing was taken.
  if (!create) return ['INVALID_INPUT', 'SUBMISSION_UNKNOWN'];
  if (create.fate === 'lost') return ['SUBMISSION_UNKNOWN'];
  return create.callsBack || providerTaskId !== null ? ['SUCCESS'] : ['SUBMISSION_UNKNOWN'];
}

async function live(store: Store, kills: number, random: () => number) {
  const provider = await startCrashProvider(
    () => reactionFrom(random),
    () => succession.running(),
  );
  const shared = store === 'SQLite' ? null : await sharedStore();
  const succession: Succession = await createSuccession({
    program,
    providerUrl: provider.url,
    env: { ...shared?.env, CREATE_WAIT_MS: '200', SUBMISSION_GRACE_MS: '1000', KIE_CREATES_PER_10S: '1000' },
    timings: {
      ...shared?.timings,
      idleLook: 100,
      outcomeLook: 50,
      checkIntervalMin: 200,
      checkIntervalMax: 500,
      resendFirstMin: 20,
      resendFirstMax: 100,
      resendMax: 200,
    },
  });
  provider.finishTasks();
  const client = createPatientClient(succession);
  const follower = follow(succession);

  const wishes: Wish[] = [];
  const wish = async (prompt: string, afterMs: number): Promise<ApiCreateResult> => {
    await delay(afterMs);
    return client.create(prompt, `the key of ${prompt}`);
  };
  succession.load();
  for (let round = 1; round <= kills; round += 1) {
    succession.load();
    const gateway = await succession.start();
    for (let number = 1; number <= WISHES_PER_ROUND; number += 1) {
      const prompt = `wish ${number} of round ${round}`;
      wishes.push({ prompt, result: wish(prompt, random() * 1000) });
    }
    // The moment is what this is about: nothing is waited for.
    await delay(random() * 1500);
    await gateway.kill();
  }

  const last = await succession.start();
  const results = await Promise.all(wishes.map(({ result }) => result));
  await Promise.all(results.map((result) => untilItsEnd(result, follower, provider.creates)));
  return { creates: provider.creates, follower, tasks: await allTasks(last.graphqlUrl), wishes };
}

/** Some are taken, some refused, some in doubt; answers and callbacks come at all speeds, twice or never. */
function reactionFrom(random: () => number): Reaction {
  const delayMs = random() < 0.5 ? 0 : random() * 400;
  const durationMs = random() * 800;
  const kind = random();
  if (kind < 0.1) return { fate: 'refused', answer: 'arrives', delayMs };
  if (kind < 0.2) return { fate: 'not now', answer: 'arrives', delayMs };
  if (kind < 0.3) return { fate: 'lost', answer: random() < 0.5 ? 'arrives' : 'cut', delayMs };
  const callbacks = random();
  return {
    fate: 'taken',
    answer: kind < 0.4 ? 'cut' : 'arrives',
    delayMs,
    durationMs,
    callbacks: callbacks < 0.2 ? 'never' : callbacks < 0.4 ? 'twice' : 'once',
  };
}

async function untilItsEnd(
  result: ApiCreateResult,
  follower: Follower,
  creates: readonly Create[],
): Promise<void> {
  if (result.__typename !== 'CreateImageToVideoSuccess') return;
  const { id } = result.task;
  // Asked of each state anew: its call may leave after the wish was answered.
  const mustSucceed = (): boolean => creates.some((create) => create.taskId === id && create.callsBack);
  await follower.sees(
    (task) => task.id === id && (mustSucceed() ? task.state === 'SUCCESS' : isTerminal(task)),
  );
}

async function allTasks(graphqlUrl: string): Promise<readonly ApiTask[]> {
  const all: ApiTask[] = [];
  let after: string | null = null;
  do {
    const answer: GraphqlHttpAnswer<{ readonly tasks: ApiTaskConnection }> = await graphql(
      graphqlUrl,
      TASKS,
      {
        first: 100,
        after,
      },
    );
    const { edges, pageInfo } = dataOf(answer.body).tasks;
    all.push(...edges.map(({ node }) => node));
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after !== null);
  return all;
}

function isTerminal({ state }: ApiTask): boolean {
  return state === 'SUCCESS' || state === 'FAIL';
}

function lastSeen(seen: readonly ApiTask[]): ReadonlyMap<string, ApiTask> {
  return new Map(seen.map((task) => [task.id, task]));
}

function byId(one: ApiTask, other: ApiTask): number {
  return one.id < other.id ? -1 : 1;
}

function summary(tasks: readonly ApiTask[], creates: readonly Create[]): string {
  const ends = new Map<string, number>();
  for (const { failure, state } of tasks) {
    const end = failure?.code ?? state;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  const counts = [...ends].map(([end, count]) => `${end} ${count}`).join(', ');
  return `seed ${SEED}: ${creates.length} create calls, ${tasks.length} tasks: ${counts}`;
}
