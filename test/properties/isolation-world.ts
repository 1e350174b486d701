import { randomUUID } from 'node:crypto';
import { ACCOUNT, CREATE, TASK, TASKS, TASKS_UPDATED, TASK_UPDATED, input } from '../kit/documents.ts';
import type { ApiTaskConnection } from '../kit/documents.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import type { GraphqlOperation } from '../kit/graphql.ts';
import { deliverCallback, sign } from '../kit/kie.ts';
import { onTestEnd } from '../kit/waits.ts';
import { authorizationOf, callbackOf } from './two-owners.ts';
import type { Ending, MadeTask, MarkedProvider, Who } from './two-owners.ts';

export type DoorName = 'HTTP' | 'SSE' | 'WebSocket';

/** Tasks are named by a number, modulo how many there are of either owner. */
export type Step = { readonly who: Who; readonly door: DoorName } & (
  | { readonly kind: 'create'; readonly key: string | null; readonly fate: 'taken' | 'refuse' | 'invalid' }
  | { readonly kind: 'task' | 'follow'; readonly task: number; readonly by: 'id' | 'providerTaskId' }
  | { readonly kind: 'tasks'; readonly task: number | null }
  | { readonly kind: 'follow all'; readonly isFromStart: boolean }
  | { readonly kind: 'callback'; readonly task: number; readonly ending: Ending; readonly isRight: boolean }
  | { readonly kind: 'account' | 'nonsense' }
);

const NONSENSE = '{ task(id: "x") { nope } tasks(after: "nonsense", first: 1000) { revision } }';

/** Two owners on one gateway, what they do, and what is wrong about what they received. */
export async function createIsolationWorld(
  { graphqlUrl, url }: Gateway,
  provider: MarkedProvider,
  run: number,
) {
  const clients = {
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
    const imageUrl = fate === 'invalid' ? `ftp://${mark}` : `https://files.example/${mark}.png`;
    const wish = input({ prompt: `${fate} ${mark}`, imageUrl, idempotencyKey: key });
    await clients[who].ask(door, { query: CREATE, variables: { input: wish } });
  }

  async function look({ by, door, kind, task, who }: Step & { readonly kind: 'task' | 'follow' }) {
    const known = taskAt(task);
    if (!known) return;
    const query = kind === 'task' ? TASK : TASK_UPDATED;
    const client = clients[who];
    const id = known[by];
    const operation = { query, variables: { id } };
    if (isOf(who, known)) {
      await client[kind === 'follow' ? 'follow' : 'ask'](door, operation);
      return;
    }
    const stranger = randomUUID().repeat(3).slice(0, id.length);
    compare(
      `${kind} by ${by} over ${door}`,
      await client.ask(door, operation, id),
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
    const answer = await clients[isOf('a', task) ? 'a' : 'b'].ask('WebSocket', { query: TASKS });
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

  function signsOf(who: Who, other: Who): string[] {
    const text = clients[other].received();
    const ids = made().flatMap((task) => (isOf(who, task) ? [task.id] : []));
    return [markOf(who), clients[who].owner, ...ids]
      .filter((sign) => text.includes(sign))
      .map((sign) => `${other} has received ${sign} in ${text}`);
  }

  return {
    async take(step: Step): Promise<void> {
      const client = clients[step.who];
      if (step.kind === 'create') await create(step);
      else if (step.kind === 'task' || step.kind === 'follow') await look(step);
      else if (step.kind === 'tasks') await list(step);
      else if (step.kind === 'callback') await callBack(step);
      else if (step.kind === 'follow all')
        await client.follow(step.door, {
          query: TASKS_UPDATED,
          variables: step.isFromStart ? { after: 0 } : {},
        });
      else await client.ask(step.door, { query: step.kind === 'account' ? ACCOUNT : NONSENSE });
    },
    /** Lets everything that is under way arrive, and lists every sign of one owner that the other has received. */
    async judge(): Promise<string[]> {
      for (const { ask } of Object.values(clients)) {
        await ask('WebSocket', { query: TASKS });
        await ask('HTTP', { query: TASKS });
      }
      return [...differences, ...signsOf('a', 'b'), ...signsOf('b', 'a')];
    },
    received: () => clients.a.received() + clients.b.received(),
    end() {
      clients.a.close();
      clients.b.close();
    },
  };
}

/** One of two owners, and every byte that it ever received. */
async function createClient(url: string, owner: string) {
  const authorization = await authorizationOf(owner);
  const notes: string[] = [];
  const note = (text: string): void => void notes.push(text);
  /** What an operation over the socket named, by its id. */
  const names = new Map<string, string>();
  const socket = await openGraphqlWs(url, {
    connectionParams: { authorization },
    onText(text) {
      const { id = '' } = JSON.parse(text) as { readonly id?: string };
      note(withoutName(text, names.get(id)));
    },
  });
  const leaving = new AbortController();
  onTestEnd(close);
  let lastId = 0;

  function close(): void {
    leaving.abort();
    socket.terminate();
  }

  function post(accept: string, operation: GraphqlOperation<unknown>): Promise<Response> {
    const headers = { authorization, accept, 'content-type': 'application/json' };
    const body = JSON.stringify(operation);
    return fetch(url, { method: 'POST', headers, body, signal: leaving.signal });
  }

  function send(payload: GraphqlOperation<unknown>, name = ''): string {
    const id = `op-${(lastId += 1)}-`;
    names.set(id, name);
    socket.send({ id, type: 'subscribe', payload });
    return id;
  }

  return {
    owner,
    note,
    received: () => notes.join('\n'),
    close,
    /**
     * Asks one operation and returns the whole answer, headers included. Where the answer says `name`, which was part
     * of the operation, it is taken down as "NAMED".
     */
    async ask(door: DoorName, operation: GraphqlOperation<unknown>, name = ''): Promise<string> {
      if (door === 'WebSocket') {
        const asked = send(operation, name);
        const answer = await socket.message(({ id }) => id === asked);
        return withoutName(JSON.stringify({ ...answer, id: undefined }), name);
      }
      const answer = await post(door === 'SSE' ? 'text/event-stream' : 'application/json', operation);
      const text = withoutName(`${headText(answer)}\n${await answerText(answer)}`, name);
      note(text);
      return text;
    },
    /** Follows until it is closed; over SSE it resolves when the stream has begun. */
    async follow(door: DoorName, operation: GraphqlOperation<unknown>): Promise<void> {
      if (door !== 'SSE') return void send(operation);
      const answer = await post('text/event-stream', operation);
      note(headText(answer));
      // It rejects when the client leaves.
      void read(answer, note).catch(() => undefined);
    },
  };
}

function withoutName(text: string, name = ''): string {
  return name === '' ? text : text.replaceAll(name, 'NAMED');
}

/** The whole body; of a stream no more than its first event, since one that should not be there might never end. */
async function answerText(response: Response): Promise<string> {
  let text = '';
  await read(response, (chunk) => /^data: .+\n\n/m.test((text += chunk)));
  return text;
}

/** Reads a body until its end or until `take` returns true. */
async function read({ body }: Response, take: (text: string) => unknown): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of body ?? []) if (take(decoder.decode(chunk, { stream: true })) === true) return;
}

/** Headers that differ between any two answers. */
const UNLIKE: ReadonlySet<string> = new Set(['date', 'x-request-id']);

/** Status and headers of an answer. */
function headText({ headers, status }: Response): string {
  const alike = [...headers].filter(([name]) => !UNLIKE.has(name));
  return [String(status), ...alike.map(([name, value]) => `${name}: ${value}`)].join('\n');
}
