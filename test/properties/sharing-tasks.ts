import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { Feed } from '../../src/tasks/subscriptions/feed.ts';
import { isTerminal, type VisibleRecord } from '../../src/tasks/task.ts';
import { randomFrom } from '../kit/clock.ts';
import { CREATE, TASKS, input } from '../kit/documents.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { deliverCallback, sign } from '../kit/kie.ts';
import { createQueue } from '../kit/waits.ts';
import { authorizationOf, callbackOf } from './two-owners.ts';
import type { Ending, MadeTask, MarkedProvider, Who } from './two-owners.ts';

export type SharedTasks = Awaited<ReturnType<typeof createSharedTasks>>;

/** As long as a prompt may be. */
const LENGTH = 1500;

/** The tasks of two owners, and what becomes of them. */
export async function createSharedTasks({ graphqlUrl, url }: Gateway, provider: MarkedProvider, feed: Feed) {
  const run = randomUUID().slice(0, 8);
  const owners = { a: `owner-${run}-a`, b: `owner-${run}-b` };
  const headers = {
    a: { authorization: await authorizationOf(owners.a) },
    b: { authorization: await authorizationOf(owners.b) },
  };
  const listed = async (who: Who) =>
    dataOf((await graphql(graphqlUrl, TASKS, { first: 100 }, headers[who])).body).tasks;
  const start = (await listed('a')).revision;
  /** Every change of theirs that was committed, in order. */
  const changes: VisibleRecord[] = [];
  const told = createQueue<VisibleRecord>('a change');
  const detach = Object.values(owners).map((owner) =>
    feed.onOwner(owner, (committed) => {
      changes.push(...committed);
      committed.forEach(told.push);
    }),
  );
  const made = (): readonly MadeTask[] => provider.made.filter(({ mark }) => mark.startsWith(`MARK-${run}-`));
  let wishes = 0;

  return {
    owners,
    changes,
    newest: () => changes.at(-1)?.revision ?? start,
    made,
    unfinished(): readonly MadeTask[] {
      const ended = new Set(changes.filter(({ state }) => isTerminal(state)).map(({ id }) => id));
      return made().filter(({ id }) => !ended.has(id));
    },
    ownerOf: ({ mark }: MadeTask): Who => (mark.startsWith(`MARK-${run}-a-`) ? 'a' : 'b'),
    /** Creates one; fulfilled when the provider has taken it. */
    async create(who: Who): Promise<void> {
      const mark = `MARK-${run}-${who}-${(wishes += 1)}-END`;
      const wish = input({ prompt: mark.padEnd(LENGTH, ' "é\\'), idempotencyKey: randomUUID() });
      const taken = told.take(
        ({ prompt, providerTaskId }) => providerTaskId !== null && prompt.startsWith(mark),
      );
      await graphql(graphqlUrl, CREATE, { input: wish }, headers[who]);
      await taken;
    },
    /** Has the provider call back. */
    async move(task: MadeTask, to: Ending): Promise<void> {
      const signature = sign(HMAC_KEY, task.providerTaskId);
      const { status } = await deliverCallback(url + task.callbackPath, callbackOf(task, to), signature);
      if (status !== 200) throw new Error(`a callback was answered with ${status}`);
    },
    /** The largest revision that was taken, also by a write that came to nothing. */
    lastRevision: async () => (await listed('a')).revision,
    /** What is wrong with the changes that are known: the last ones are not what is stored. */
    async faults(): Promise<readonly string[]> {
      const edges = [...(await listed('a')).edges, ...(await listed('b')).edges];
      const shown = new Map(edges.map(({ node }) => [node.id, node.revision]));
      const newest = new Map(changes.map(({ id, revision }) => [id, revision]));
      const wrong = [...newest].filter(([id, revision]) => shown.get(id) !== revision);
      return wrong.map(([id]) => `${id} is listed otherwise`);
    },
    end() {
      for (const stop of detach) stop();
    },
  };
}

/** A store whose reads take up to 12 turns before and after they happen, as over a network: others write in between. */
export function readSlowly(store: TaskStore): TaskStore {
  const random = randomFrom(1);
  const pause = async (): Promise<void> => {
    for (let left = Math.floor(random() * 12); left > 0; left -= 1) await setImmediate();
  };
  function slow<Args extends readonly unknown[], Answer>(read: (...args: Args) => Promise<Answer>) {
    return async (...args: Args): Promise<Answer> => {
      await pause();
      const answer = await read(...args);
      await pause();
      return answer;
    };
  }
  return {
    ...store,
    find: slow(store.find),
    changesAfter: slow(store.changesAfter),
    newestRevision: slow(store.newestRevision),
  };
}
