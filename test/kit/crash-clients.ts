import { setTimeout as delay } from 'node:timers/promises';
import {
  type ApiCreateResult,
  type ApiTask,
  type TaskState,
  CREATE,
  TASK,
  TASKS_UPDATED,
  input,
} from './documents.ts';
import { dataOf, graphql, type Document } from './graphql.ts';
import { openGraphqlWs, type GraphqlWsClient } from './graphql-ws.ts';
import { createQueue, onTestEnd, recordFailure } from './waits.ts';

/** Where clients find a gateway, each time that they look for one, and who they are. */
export interface Place {
  readonly origin: () => string | Promise<string>;
  readonly credential?: string;
  /** Told of each socket that is closed, by whichever side. */
  readonly onClosed?: (origin: string) => void;
}

/** As a frontend would pause before it tries again. */
const PAUSE_MS = 100;

/** A client that asks again, whichever gateway there is, whenever one has died or has no store. */
interface PatientClient {
  /** Asks for a video; with a key as often as it takes, without one only what it takes to be answered once. */
  create(prompt: string, idempotencyKey: string | null): Promise<ApiCreateResult>;
  find(id: string): Promise<ApiTask | null>;
}

export function createPatientClient({ credential, origin }: Place): PatientClient {
  const headers = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  async function ask<TData>(
    query: Document<TData>,
    variables: Readonly<Record<string, unknown>>,
  ): Promise<TData> {
    for (;;) {
      const url = `${await origin()}/graphql`;
      try {
        const { body } = await graphql(url, query, variables, headers);
        if (body.errors?.[0]?.extensions?.['code'] !== 'SERVICE_UNAVAILABLE') return dataOf(body);
      } catch (error) {
        // What fetch throws when the connection was refused or broke; anything else is no outage.
        if (!(error instanceof TypeError)) throw error;
      }
      await delay(PAUSE_MS);
    }
  }

  return {
    create: async (prompt, idempotencyKey) =>
      (await ask(CREATE, { input: input({ prompt, idempotencyKey }) })).createImageToVideo,
    find: async (id) => (await ask(TASK, { id })).task,
  };
}

/** A socket that is opened again, to whichever gateway there is, whenever it breaks. */
interface PatientSocket {
  /** Subscribes until the server completes the operation, and again whenever that has failed; `variables` are asked for anew. */
  subscribe<TData>(
    query: Document<TData>,
    variables: () => Readonly<Record<string, unknown>>,
    take: (data: TData) => void,
  ): Promise<void>;
}

export function openPatientSocket({ credential, onClosed, origin }: Place): PatientSocket {
  let opening: Promise<GraphqlWsClient> | null = null;
  let isOver = false;
  onTestEnd(() => void (isOver = true));

  async function open(): Promise<GraphqlWsClient> {
    const url = await origin();
    const connectionParams = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
    const socket = await openGraphqlWs(`${url}/graphql`, { connectionParams });
    void socket.closed.then(() => {
      opening = null;
      onClosed?.(url);
    });
    return socket;
  }

  return {
    async subscribe(query, variables, take) {
      while (!isOver) {
        try {
          const socket = await (opening ??= open());
          const stream = socket.subscribe({ query, variables: variables() });
          stream.errors().then(checkErrors, () => undefined);
          for await (const result of stream) take(dataOf(result));
          return;
        } catch {
          if (opening !== null) await opening.catch(() => (opening = null));
          await delay(PAUSE_MS);
        }
      }
    },
  };
}

function checkErrors(errors: readonly { readonly extensions?: Readonly<Record<string, unknown>> }[]): void {
  if (errors[0]?.extensions?.['code'] !== 'SERVICE_UNAVAILABLE')
    recordFailure(`a subscriber was refused: ${JSON.stringify(errors)}`);
}

/** Somebody who watches all tasks of an owner, and goes on from the newest revision seen. */
interface Follower {
  /** Everything that came, in order. */
  readonly seen: readonly ApiTask[];
  /** The oldest state that is accepted: at once when it has come already, else when it comes. */
  sees(accepts: (task: ApiTask) => boolean): Promise<ApiTask>;
}

export function follow(place: Place): Follower {
  const seen: ApiTask[] = [];
  const queue = createQueue<ApiTask>('a change of a task');
  const variables = () => ({ after: seen.at(-1)?.revision ?? 0 });
  void openPatientSocket(place).subscribe(TASKS_UPDATED, variables, ({ tasksUpdated }) => {
    seen.push(tasksUpdated);
    queue.push(tasksUpdated);
  });
  return {
    seen,
    sees: (accepts) => {
      const early = seen.find(accepts);
      return early ? Promise.resolve(early) : queue.take(accepts);
    },
  };
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
  if (before.failure?.code === 'SUBMISSION_UNKNOWN') return isTerminal(after);
  return !isTerminal(before) && RANK[after.state] >= RANK[before.state];
}

export function isTerminal({ state }: ApiTask): boolean {
  return RANK[state] === RANK.FAIL;
}
