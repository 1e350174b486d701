/** urql: mutations and queries over HTTP, and one subscription that follows all tasks without a gap. */
import {
  Client,
  fetchExchange,
  subscriptionExchange,
  type ExecutionResult,
  type OperationResult,
} from '@urql/core';
import { retryExchange } from '@urql/exchange-retry';
import { createClient } from 'graphql-ws';
import { toAsyncIterable } from 'wonka';
import { CREATE, REVISION, TASKS_UPDATED } from './shared/documents.ts';
import {
  AUTHORIZATION,
  delay,
  GRAPHQL_URL,
  mayComeBack,
  patience,
  SOCKET_URL,
  WISH,
} from './shared/gateway.ts';
import { created, show, type CreateData, type RevisionData, type TasksUpdatedData } from './shared/task.ts';
import './shared/websocket.ts';

const socket = createClient({
  url: SOCKET_URL,
  connectionParams: AUTHORIZATION,
  retryAttempts: Infinity,
  shouldRetry: mayComeBack,
  retryWait: (tries) => delay(patience(tries)),
});

const client = new Client({
  url: GRAPHQL_URL,
  preferGetMethod: false,
  fetchOptions: { headers: AUTHORIZATION },
  exchanges: [
    retryExchange({
      maxNumberAttempts: Infinity,
      initialDelayMs: 500,
      // No answer, or none of the gateway's own. What it refuses, it would refuse again.
      retryIf: ({ networkError, response }, { kind }) =>
        kind !== 'subscription' && networkError !== undefined && statusOf(response) >= 500,
    }),
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query = '', variables = {} }) => ({
        subscribe: ({ complete, error, next }) => ({
          unsubscribe: socket.subscribe(
            { query, variables },
            {
              complete,
              error,
              next: (result) => {
                next(result as ExecutionResult);
              },
            },
          ),
        }),
      }),
    }),
  ],
});

let newest = dataOf(await client.query<RevisionData>(REVISION, {}).toPromise()).tasks.revision;

// Made up once: however often the mutation is sent, it is one task, and paid for once.
const input = { ...WISH, idempotencyKey: crypto.randomUUID() };
const { id } = created(dataOf(await client.mutation<CreateData>(CREATE, { input }).toPromise()));

// graphql-ws sends the variables anew after each reconnect, and by then they say where to go on.
const variables = {
  get after() {
    return newest;
  },
};
for await (const event of toAsyncIterable(client.subscription<TasksUpdatedData>(TASKS_UPDATED, variables))) {
  const { tasksUpdated: task } = dataOf(event);
  newest = Math.max(newest, task.revision);
  if (task.id === id && show(task)) break;
}

function dataOf<Data>({ data, error }: OperationResult<Data>): Data {
  if (error || !data) throw error ?? new Error('an answer without data');
  return data;
}

function statusOf(response: unknown): number {
  return response instanceof Response ? response.status : Infinity;
}
