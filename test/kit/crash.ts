import type { Timings } from '../../src/tasks/timings.ts';
import { compile, type Compiled, startProcess, type TestProcess } from './process.ts';
import type { Moment, Step } from './crash-steps.ts';
import { deferred, type Deferred, recordFailure, createQueue } from './waits.ts';
import { HMAC_KEY, temporaryDir } from './gateway.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { startFakeProvider, type FakeProvider, type Answer, type ProviderRequest } from './provider.ts';
import {
  callbackSuccess,
  deliverCallback,
  sign,
  createBody,
  created,
  notVisibleYet,
  record,
  refused,
  succeeded,
} from './kie.ts';
import {
  type ApiCreateResult,
  type ApiTask,
  type TaskState,
  CREATE,
  TASK,
  TASKS_UPDATED,
  input,
} from './documents.ts';
import { graphql, type GraphqlHttpAnswer, dataOf, type Document } from './graphql.ts';
import { openGraphqlWs } from './graphql-ws.ts';

export interface Orders {
  /** null: it lives until it is killed from outside. */
  readonly dieAt: Moment | null;
  /** Does not begin before `release`; null: no step waits. */
  readonly holds: Step | null;
  readonly timings: Partial<Timings>;
}

/** A gateway in a process of its own. */
export interface MortalGateway {
  readonly url: string;
  readonly graphqlUrl: string;
  readonly pid: number;
  readonly died: Promise<unknown>;
  /** Resolves when it has come to a moment for which nobody has waited yet. */
  reaches(moment: Moment): Promise<unknown>;
  /** The next line of its log with this message. */
  logged(message: string): Promise<Readonly<Record<string, unknown>>>;
  /** Lets the step begin that it holds. */
  release(): void;
  kill(): Promise<void>;
}

/** The gateways that follow each other on one data directory, each begun when the one before is dead. */
export interface Succession {
  /** Loads a process that the next `start` uses, to save that time then. */
  load(): void;
  /** `timings` are this one's, over those of all. */
  start(orders?: Partial<Orders>): Promise<MortalGateway>;
  /** The gateway that runs, or, while there is none, the next one. */
  running(): Promise<MortalGateway>;
}

const ENTRY = 'test/kit/crash-entry.ts';

/** To be done once for all gateways of a test file, and removed after all its tests. */
export function compileMortalGateway(): Promise<Compiled> {
  return compile([ENTRY, 'test/kit/crash-steps.ts']);
}

export async function createSuccession(options: {
  readonly program: Compiled;
  readonly providerUrl: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timings?: Partial<Timings>;
}): Promise<Succession> {
  const { env = {}, program, providerUrl, timings = {} } = options;
  const dataDir = await temporaryDir();
  const loaded: TestProcess[] = [];
  let current: Deferred<MortalGateway> = deferred('the next gateway');

  const load = (): TestProcess =>
    startProcess(process.execPath, [program.pathOf(ENTRY)], {
      PORT: '0',
      DATA_DIR: dataDir,
      KIE_API_KEY: 'test-key',
      KIE_API_URL: providerUrl,
      KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
      // Nothing is ever sent there: the provider of the test finds the gateway by itself.
      PUBLIC_URL: 'https://gateway.example.test',
      ...env,
    });

  return {
    load: () => loaded.push(load()),
    running: () => current.promise,
    async start({ dieAt = null, holds = null, timings: own } = {}) {
      const child = loaded.shift() ?? load();
      await child.logged('loaded');
      const orders: Orders = { dieAt, holds, timings: { ...timings, ...own } };
      child.type(`${JSON.stringify(orders)}\n`);
      const url = String((await child.logged('listening'))['url']);
      const gateway: MortalGateway = {
        url,
        graphqlUrl: `${url}/graphql`,
        pid: child.pid,
        died: child.exited,
        reaches: child.logged,
        logged: child.logged,
        release: () => {
          child.type('\n');
        },
        async kill() {
          child.signal('SIGKILL');
          await child.exited;
        },
      };
      current.resolve(gateway);
      void child.exited.then(() => {
        current = deferred('the next gateway');
      });
      return gateway;
    },
  };
}

/** What becomes of a create call. `lost`: nothing was taken, and no answer says so. */
export interface Reaction {
  readonly fate: 'taken' | 'lost' | 'refused' | 'not now';
  /** What happens to the answer: it arrives, it is cut off, or it never comes. */
  readonly answer: 'arrives' | 'cut' | 'never';
  /** Nothing is answered before. */
  readonly gate?: Promise<unknown>;
  readonly delayMs?: number;
  /** How long the video takes, in ms. */
  readonly durationMs?: number;
  readonly callbacks?: 'once' | 'twice' | 'never';
}

/** A create call that arrived. */
export interface Create {
  /** The gateway's id, from the callback address. */
  readonly taskId: string;
  readonly prompt: string;
  readonly providerTaskId: string;
  readonly fate: Reaction['fate'];
  readonly callsBack: boolean;
  /** Resolves when its connection is closed: it was answered and read, or one side has died. */
  readonly closed: Promise<void>;
}

/** A kie.ai that outlives the gateways that it talks to, and calls each task's gateway until it says 200. */
export interface CrashProvider {
  readonly url: string;
  /** Every create call so far, in order. */
  readonly creates: readonly Create[];
  /** The oldest create call that nobody has waited for yet: at once, or when it comes. */
  received(): Promise<Create>;
  /** From now on tasks are finished and called back; until then they are all still waiting. */
  finishTasks(): void;
}

export async function startCrashProvider(
  react: (prompt: string) => Reaction,
  running: () => ReturnType<Succession['running']>,
): Promise<CrashProvider> {
  const fake: FakeProvider = await startFakeProvider();
  const creates: Create[] = [];
  const finished = new Set<string>();
  const incoming = createQueue<Create>('a create call');
  const mayFinish = deferred('the finishing of tasks');

  fake.always('createTask', (request) => {
    const reaction = react(createBody(request).input.prompt);
    const create = createOf(request, reaction, `kie-${creates.length + 1}`);
    creates.push(create);
    incoming.push(create);
    if (create.fate === 'taken') void finish(request, create, reaction);
    return answerTo(create, reaction);
  });
  fake.always('recordInfo', ({ query }) => {
    const id = query['taskId'] ?? '';
    if (finished.has(id)) return succeeded(id);
    return creates.some(({ providerTaskId }) => providerTaskId === id) ? record(id) : notVisibleYet();
  });

  async function finish(request: ProviderRequest, create: Create, reaction: Reaction): Promise<void> {
    const { callbacks = 'once', durationMs = 0 } = reaction;
    await mayFinish.promise;
    await delay(durationMs, undefined, { ref: false });
    finished.add(create.providerTaskId);
    const times = { never: 0, once: 1, twice: 2 }[callbacks];
    const path = new URL(createBody(request).callBackUrl ?? '').pathname;
    for (let time = 0; time < times; time += 1) await callBack(path, create.providerTaskId);
  }

  /** Again and again, until a gateway has taken it. */
  async function callBack(path: string, providerTaskId: string): Promise<void> {
    for (;;) {
      const gateway = await running();
      try {
        const body = callbackSuccess(providerTaskId);
        const { status } = await deliverCallback(gateway.url + path, body, sign(HMAC_KEY, providerTaskId));
        if (status !== 200) recordFailure(`a callback for ${providerTaskId} was answered with ${status}`);
        return;
      } catch {
        await gateway.died;
      }
    }
  }

  return {
    url: fake.url,
    creates,
    received: incoming.take,
    finishTasks: () => {
      mayFinish.resolve();
    },
  };
}

function createOf(request: ProviderRequest, reaction: Reaction, providerTaskId: string): Create {
  const { callBackUrl = '', input } = createBody(request);
  const [, , , taskId = ''] = new URL(callBackUrl).pathname.split('/');
  return {
    taskId,
    prompt: input.prompt,
    providerTaskId,
    fate: reaction.fate,
    callsBack: reaction.fate === 'taken' && reaction.callbacks !== 'never',
    closed: request.closed,
  };
}

function answerTo({ providerTaskId }: Create, reaction: Reaction): Answer {
  const { answer, delayMs, fate, gate } = reaction;
  const when = { ...(gate && { gate }), ...(delayMs !== undefined && { delayMs }) };
  if (answer === 'never') return { hang: true };
  if (answer === 'cut') return { ...when, cutAfterBytes: 0 };
  return { ...answerFor(), ...when };

  function answerFor(): Answer {
    switch (fate) {
      case 'taken':
        return created(providerTaskId);
      case 'refused':
        return refused(422, 'image_url is not an image');
      case 'not now':
        return refused(429, 'too many requests');
      case 'lost':
        return { status: 502, body: '<html>Bad gateway</html>' };
    }
  }
}

/** A client that asks again, the next gateway, whenever one has died without an answer. */
export interface PatientClient {
  /** Asks for a video; with a key as often as it takes, without one only what it takes to be answered once. */
  create(prompt: string, idempotencyKey: string | null): Promise<ApiCreateResult>;
  find(id: string): Promise<ApiTask | null>;
}

export function createPatientClient({ running }: Pick<Succession, 'running'>): PatientClient {
  async function ask<TData>(
    query: Document<TData>,
    variables: Readonly<Record<string, unknown>>,
  ): Promise<TData> {
    for (;;) {
      const gateway = await running();
      const answer = await answerOf(gateway, query, variables);
      if (answer) return dataOf(answer.body);
    }
  }

  return {
    create: async (prompt, idempotencyKey) =>
      (await ask(CREATE, { input: input({ prompt, idempotencyKey }) })).createImageToVideo,
    find: async (id) => (await ask(TASK, { id })).task,
  };
}

/** null when the gateway has died instead of answering. */
async function answerOf<TData>(
  gateway: MortalGateway,
  query: Document<TData>,
  variables: Readonly<Record<string, unknown>>,
): Promise<GraphqlHttpAnswer<TData> | null> {
  try {
    return await graphql(gateway.graphqlUrl, query, variables);
  } catch {
    await gateway.died;
    return null;
  }
}

/** Somebody who watches all tasks and, whenever the socket breaks, subscribes again from the newest revision seen. */
export interface Follower {
  /** Everything that came, in order. */
  readonly seen: readonly ApiTask[];
  /** The oldest state that is accepted: at once when it has come already, else when it comes. */
  sees(accepts: (task: ApiTask) => boolean): Promise<ApiTask>;
}

export function follow({ running }: Pick<Succession, 'running'>): Follower {
  const seen: ApiTask[] = [];
  const queue = createQueue<ApiTask>('a change of a task');
  void followForEver();
  return {
    seen,
    sees: (accepts) => {
      const early = seen.find(accepts);
      return early ? Promise.resolve(early) : queue.take(accepts);
    },
  };

  async function followForEver(): Promise<never> {
    for (;;) {
      const gateway = await running();
      try {
        await followOne(gateway);
      } catch {
        await gateway.died;
      }
    }
  }

  /** Rejects when the socket breaks. */
  async function followOne({ graphqlUrl }: MortalGateway): Promise<void> {
    const socket = await openGraphqlWs(graphqlUrl);
    const variables = { after: seen.at(-1)?.revision ?? 0 };
    const changes = socket.subscribe({ query: TASKS_UPDATED, variables });
    changes.errors().then(
      (errors) => {
        recordFailure(`a follower was refused: ${JSON.stringify(errors)}`);
      },
      () => undefined,
    );
    for (;;) {
      const { tasksUpdated } = await changes.data();
      seen.push(tasksUpdated);
      queue.push(tasksUpdated);
    }
  }
}

const RANK: Readonly<Record<TaskState, number>> = {
  SUBMITTING: 0,
  WAITING: 1,
  QUEUING: 2,
  GENERATING: 3,
  SUCCESS: 4,
  FAIL: 4,
};

/** Everything that a follower was shown and that goes back behind what it was shown before. */
export function stepsBack(seen: readonly ApiTask[]): readonly string[] {
  const newest = new Map<string, ApiTask>();
  const found: string[] = [];
  let revision = 0;
  for (const task of seen) {
    const before = newest.get(task.id);
    if (task.revision <= revision) found.push(`revision ${task.revision} came after ${revision}`);
    if (before && !isStepOn(before, task)) found.push(`${task.id}: ${task.state} came after ${before.state}`);
    newest.set(task.id, task);
    revision = task.revision;
  }
  return found;
}

function isStepOn(before: ApiTask, after: ApiTask): boolean {
  // Only an end that was concluded from silence gives way to another one.
  if (before.failure?.code === 'SUBMISSION_UNKNOWN') return RANK[after.state] === RANK.FAIL;
  return RANK[before.state] < RANK.FAIL && RANK[after.state] >= RANK[before.state];
}
