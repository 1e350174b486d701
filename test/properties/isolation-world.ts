import { randomUUID } from 'node:crypto';
import {
  type ApiTaskConnection,
  ACCOUNT,
  CREATE,
  TASK,
  TASKS,
  TASKS_UPDATED,
  TASK_UPDATED,
  input,
} from '../kit/documents.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import { deliverCallback, sign } from '../kit/kie.ts';
import { createClient, type Client } from './isolation-doors.ts';
import { callbackOf, type MadeTask, type startMarkedProvider } from './isolation-provider.ts';
import type { Step, Who } from './isolation-steps.ts';

const NONSENSE = '{ task(id: "x") { nope } tasks(after: "nonsense", first: 1000) { revision } }';

/** Two owners on one gateway, what they do, and what is wrong about what they received. */
export interface IsolationWorld {
  take(step: Step): Promise<void>;
  /** Lets everything that is under way arrive, and lists every sign of one owner that the other has received. */
  judge(): Promise<string[]>;
  readonly received: (who: Who) => string;
  end(): void;
}

export async function createIsolationWorld(
  { graphqlUrl, url }: Gateway,
  provider: Awaited<ReturnType<typeof startMarkedProvider>>,
  run: number,
): Promise<IsolationWorld> {
  const clients: Record<Who, Client> = {
    a: await createClient(graphqlUrl, `owner-${run}-a`),
    b: await createClient(graphqlUrl, `owner-${run}-b`),
  };
  const differences: string[] = [];
  let wishes = 0;

  const markOf = (who: Who): string => `MARK-${run}-${who}`;
  const made = (): readonly MadeTask[] => provider.made.filter(({ mark }) => mark.startsWith(`MARK-${run}-`));
  const taskAt = (index: number): MadeTask | undefined => made()[index % Math.max(1, made().length)];
  const isOf = (who: Who, { mark }: MadeTask): boolean => mark.startsWith(markOf(who));

  async function create({ door, fate, key, who }: Step & { readonly kind: 'create' }): Promise<void> {
    const mark = `${markOf(who)}-${(wishes += 1)}-END`;
    const wish = input({
      prompt: `${fate} ${mark}`,
      imageUrl: fate === 'invalid' ? `ftp://${mark}` : `https://files.example/${mark}.png`,
      idempotencyKey: key,
    });
    await clients[who].ask(door, { query: CREATE, variables: { input: wish } });
  }

  async function look({ by, door, kind, task, who }: Step & { readonly kind: 'task' | 'follow' }) {
    const known = taskAt(task);
    if (!known) return;
    const query = kind === 'task' ? TASK : TASK_UPDATED;
    const client = clients[who];
    const id = known[by];
    if (isOf(who, known) && kind === 'follow')
      return client.follow(door === 'SSE' ? door : 'WebSocket', { query, variables: { id } });
    if (isOf(who, known)) {
      await client.ask(door, { query, variables: { id } });
      return;
    }
    const stranger = randomUUID().repeat(3).slice(0, id.length);
    compare(
      `${kind} by ${by} over ${door}`,
      await client.ask(door, { query, variables: { id } }, id),
      await client.ask(door, { query, variables: { id: stranger } }, stranger),
    );
  }

  /** What is said of another's task must be what is said of none. */
  function compare(what: string, toForeign: string, toNone: string): void {
    if (toForeign !== toNone) differences.push(`${what}: ${toForeign} instead of ${toNone}`);
  }

  async function list({ door, task, who }: Step & { readonly kind: 'tasks' }): Promise<void> {
    const known = task === null ? undefined : taskAt(task);
    const after = known ? await cursorOf(known) : null;
    await clients[who].ask(door, { query: TASKS, variables: { after } });
  }

  /** The cursor that its own owner is given for a task. */
  async function cursorOf(task: MadeTask): Promise<string | null> {
    const owner = clients[isOf('a', task) ? 'a' : 'b'];
    const answer = await owner.ask('WebSocket', { query: TASKS });
    const { payload } = JSON.parse(answer) as { payload: { data: { tasks: ApiTaskConnection } } };
    return payload.data.tasks.edges.find(({ node }) => node.id === task.id)?.cursor ?? null;
  }

  async function callBack({ ending, isRight, task, who }: Step & { readonly kind: 'callback' }) {
    const known = taskAt(task);
    if (!known) return;
    const body = callbackOf(known, ending);
    const signature = sign(HMAC_KEY, known.providerTaskId);
    if (isRight) {
      await deliverCallback(url + known.callbackPath, body, signature);
      return;
    }
    const wrong = (id: string) =>
      deliverCallback(`${url}/webhooks/kie/${id}/${'x'.repeat(43)}`, body, signature);
    const [toKnown, toNone] = [await wrong(known.id), await wrong(randomUUID())];
    compare('a callback', JSON.stringify(toKnown.body), JSON.stringify(toNone.body));
    if (!isOf(who, known)) clients[who].note(JSON.stringify([...toKnown.headers, toKnown.body]));
  }

  async function followAll({ door, isFromStart, who }: Step & { readonly kind: 'follow all' }) {
    const variables = isFromStart ? { after: 0 } : {};
    await clients[who].follow(door === 'SSE' ? door : 'WebSocket', { query: TASKS_UPDATED, variables });
  }

  function signsOf(who: Who, other: Who): string[] {
    const text = clients[other].received();
    const ids = made().flatMap((task) => (isOf(who, task) ? [task.id] : []));
    return [markOf(who), clients[who].owner, ...ids]
      .filter((sign) => text.includes(sign))
      .map((sign) => `${other} has received ${sign} in ${text}`);
  }

  return {
    async take(step) {
      if (step.kind === 'create') await create(step);
      else if (step.kind === 'task' || step.kind === 'follow') await look(step);
      else if (step.kind === 'tasks') await list(step);
      else if (step.kind === 'callback') await callBack(step);
      else if (step.kind === 'follow all') await followAll(step);
      else {
        const query = step.kind === 'account' ? ACCOUNT : NONSENSE;
        await clients[step.who].ask(step.door, { query });
      }
    },
    async judge() {
      for (const { ask } of Object.values(clients)) {
        await ask('WebSocket', { query: TASKS });
        await ask('HTTP', { query: TASKS });
      }
      return [...differences, ...signsOf('a', 'b'), ...signsOf('b', 'a')];
    },
    received: (who) => clients[who].received(),
    end() {
      clients.a.close();
      clients.b.close();
    },
  };
}
