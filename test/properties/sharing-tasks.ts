import { randomUUID } from 'node:crypto';
import type { Feed } from '../../src/tasks/subscriptions/feed.ts';
import { isTerminal, type VisibleRecord } from '../../src/tasks/task.ts';
import { CREATE, TASKS, input } from '../kit/documents.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { deliverCallback, sign } from '../kit/kie.ts';
import { createQueue } from '../kit/waits.ts';
import { callbackOf, type Ending, type MadeTask, type startMarkedProvider } from './isolation-provider.ts';
import type { Who } from './sharing-steps.ts';
import { tokenOf } from './sharing-socket.ts';

/** The tasks of two owners, and what becomes of them. */
export interface SharedTasks {
  readonly owners: Readonly<Record<Who, string>>;
  /** Every change of theirs that was committed, in order. */
  readonly changes: () => readonly VisibleRecord[];
  readonly newest: () => number;
  readonly made: () => readonly MadeTask[];
  readonly unfinished: () => readonly MadeTask[];
  readonly ownerOf: (task: MadeTask) => Who;
  /** Creates one; fulfilled when the provider has taken it. */
  create(who: Who): Promise<void>;
  /** Has the provider call back. */
  move(task: MadeTask, to: Ending): Promise<void>;
  /** The largest revision that was taken, also by a write that came to nothing. */
  lastRevision(): Promise<number>;
  /** What is wrong with the changes that are known: the last ones are not what is stored. */
  faults(): Promise<readonly string[]>;
  end(): void;
}

/** As long as a prompt may be. */
const LENGTH = 1500;

export async function createSharedTasks(
  { graphqlUrl, url }: Gateway,
  provider: Awaited<ReturnType<typeof startMarkedProvider>>,
  feed: Feed,
): Promise<SharedTasks> {
  const run = randomUUID().slice(0, 8);
  const owners = { a: `owner-${run}-a`, b: `owner-${run}-b` };
  const headers = {
    a: { authorization: await tokenOf(owners.a) },
    b: { authorization: await tokenOf(owners.b) },
  };
  const start = await lastRevision();
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
    changes: () => changes,
    newest: () => changes.at(-1)?.revision ?? start,
    made,
    unfinished() {
      const ended = new Set(changes.filter(({ state }) => isTerminal(state)).map(({ id }) => id));
      return made().filter(({ id }) => !ended.has(id));
    },
    ownerOf: ({ mark }) => (mark.startsWith(`MARK-${run}-a-`) ? 'a' : 'b'),
    async create(who) {
      const mark = `MARK-${run}-${who}-${(wishes += 1)}-END`;
      const wish = input({ prompt: mark.padEnd(LENGTH, ' "é\\'), idempotencyKey: randomUUID() });
      const taken = told.take(
        ({ prompt, providerTaskId }) => providerTaskId !== null && prompt.startsWith(mark),
      );
      await graphql(graphqlUrl, CREATE, { input: wish }, headers[who]);
      await taken;
    },
    async move(task, to) {
      const signature = sign(HMAC_KEY, task.providerTaskId);
      const { status } = await deliverCallback(url + task.callbackPath, callbackOf(task, to), signature);
      if (status !== 200) throw new Error(`a callback was answered with ${status}`);
    },
    lastRevision,
    async faults() {
      const newest = new Map(changes.map(({ id, revision }) => [id, revision]));
      const shown = new Map([...(await listed('a')), ...(await listed('b'))]);
      return [
        ...[...newest]
          .filter(([id, revision]) => shown.get(id) !== revision)
          .map(([id]) => `${id} is listed otherwise`),
      ];
    },
    end() {
      for (const stop of detach) stop();
    },
  };

  async function lastRevision(): Promise<number> {
    const { body } = await graphql(graphqlUrl, TASKS, {}, headers.a);
    return dataOf(body).tasks.revision;
  }

  /** What the list of an owner shows: a revision for each id. */
  async function listed(who: Who): Promise<readonly (readonly [string, number])[]> {
    const answer = await graphql(graphqlUrl, TASKS, { first: 100 }, headers[who]);
    return dataOf(answer.body).tasks.edges.map(({ node }) => [node.id, node.revision]);
  }
}
