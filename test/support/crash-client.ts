import type { ApiCreateResult, ApiTask, TaskState } from './api-types.ts';
import type { MortalGateway, Succession } from './crash-process.ts';
import { CREATE, TASK, TASKS_UPDATED, input } from './documents.ts';
import { graphql, type GraphqlHttpAnswer } from './graphql-http-client.ts';
import { dataOf, type Document } from './graphql-result.ts';
import { openGraphqlWs } from './graphql-ws-client.ts';
import { recordFailure } from './leftovers.ts';
import { createQueue } from './queue.ts';

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
