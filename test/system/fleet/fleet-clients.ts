import { createClient, type Client, type SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';
import { setTimeout as delay } from 'node:timers/promises';
import { type ApiTask, TASKS_UPDATED, TASK_UPDATED } from '../../kit/documents.ts';
import type { GraphqlResult } from '../../kit/graphql.ts';
import { onTestEnd } from '../../kit/waits.ts';

/** A socket that was closed, by whichever side. */
export interface Closing {
  readonly origin: string;
  readonly code: number;
}

/** What all subscribers of the fleet went through. */
export interface Experience {
  readonly closings: Closing[];
  /** How many operations ended with each error. */
  readonly errors: Map<string, number>;
  /** What no subscriber may ever see. */
  readonly troubles: string[];
  /** Nobody subscribes again. */
  isOver: boolean;
  /** Told of each change that any subscriber of all tasks sees. */
  readonly onChange: (task: ApiTask) => void;
}

export interface Place {
  /** The origin of a replica that lives. */
  readonly pick: () => string;
  readonly experience: Experience;
}

/** A client as the documents of graphql-ws make it, which goes to another replica when its own is gone. */
export function openClient(key: string, { experience, pick }: Place): Client {
  let origin = '';
  const client = createClient({
    url: () => {
      origin = pick();
      return `${origin.replace('http', 'ws')}/graphql`;
    },
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    // The socket stays when an operation ends with an error.
    lazy: false,
    retryAttempts: Infinity,
    retryWait: () => delay(100),
    shouldRetry: () => true,
    on: {
      closed: (event) => {
        experience.closings.push({ origin, code: (event as { code: number }).code });
      },
    },
  });
  onTestEnd(async () => {
    experience.isOver = true;
    // One that was about to connect again says that it could not.
    await Promise.resolve(client.dispose()).catch(() => undefined);
  });
  return client;
}

/** Follows all tasks of an owner for ever; returns the newest state of each. */
export function followAll(client: Client, { experience }: Place): ReadonlyMap<string, ApiTask> {
  const tasks = new Map<string, ApiTask>();
  let newest = 0;
  const variables = {
    // Read by JSON.stringify whenever the client subscribes again.
    get after() {
      return newest;
    },
  };
  repeat<{ readonly tasksUpdated: ApiTask }>(client, { query: TASKS_UPDATED, variables }, experience, {
    take({ tasksUpdated: task }) {
      newest = Math.max(newest, task.revision);
      if (task.revision <= (tasks.get(task.id)?.revision ?? 0)) return;
      tasks.set(task.id, task);
      experience.onChange(task);
    },
    hasEnded: () => false,
  });
  return tasks;
}

/** Follows one task to its end; fulfilled with its last state. */
export function followOne(client: Client, id: string, { experience }: Place): Promise<ApiTask> {
  return new Promise((resolve) => {
    let last: ApiTask | null = null;
    repeat<{ readonly taskUpdated: ApiTask }>(
      client,
      { query: TASK_UPDATED, variables: { id } },
      experience,
      {
        take({ taskUpdated: task }) {
          if (task.revision < (last?.revision ?? 0)) experience.troubles.push(`${id} went back`);
          last = task;
        },
        hasEnded() {
          if (!last || !isTerminal(last)) return false;
          resolve(last);
          return true;
        },
      },
    );
  });
}

/** As a frontend would pause: at once, it would do nothing but ask a replica that has no database. */
const RESUBSCRIBE_MS = 200;

interface Reader<TData> {
  readonly take: (data: TData) => void;
  /** Asked when an operation was completed: whether it may be. */
  readonly hasEnded: () => boolean;
}

/** Subscribes, and again whenever the operation ends with an error. */
function repeat<TData>(
  client: Client,
  payload: SubscribePayload,
  experience: Experience,
  { hasEnded, take }: Reader<TData>,
): void {
  function subscribe(): void {
    if (experience.isOver) return;
    let sawError = false;
    client.subscribe<TData>(payload, {
      next({ data, errors }) {
        if (errors) noteError((errors as GraphqlResult<TData>['errors'])?.[0]?.extensions?.['code']);
        if (data) take(data);
      },
      error(error) {
        noteError(Array.isArray(error) ? codeOf(error[0]) : String(error));
        setTimeout(subscribe, RESUBSCRIBE_MS);
      },
      complete() {
        if (experience.isOver || hasEnded()) return;
        if (!sawError) experience.troubles.push(`an operation was completed before its end`);
        setTimeout(subscribe, RESUBSCRIBE_MS);
      },
    });

    function noteError(code: unknown): void {
      sawError = true;
      experience.errors.set(String(code), (experience.errors.get(String(code)) ?? 0) + 1);
    }
  }
  subscribe();
}

function codeOf(error: unknown): unknown {
  return (error as { readonly extensions?: { readonly code?: unknown } }).extensions?.code;
}

export function isTerminal({ state }: ApiTask): boolean {
  return state === 'SUCCESS' || state === 'FAIL';
}
