/** Apollo Client: one subscription keeps the cache up to date, and whoever watches a task reads it there. */
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  gql,
  HttpLink,
  ServerError,
  type TypedDocumentNode,
} from '@apollo/client';
import { RetryLink } from '@apollo/client/link/retry';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { concatMap, defer, of, retry, takeWhile, tap, throwError, timer } from 'rxjs';
import { createCache } from './apollo-cache.ts';
import { CREATE, REVISION, TASK_FIELDS, TASKS_UPDATED } from './shared/documents.ts';
import { AUTHORIZATION, FORBIDDEN, GRAPHQL_URL, patience, SOCKET_URL, WISH } from './shared/gateway.ts';
import {
  created,
  show,
  type CreateData,
  type RevisionData,
  type Task,
  type TasksUpdatedData,
} from './shared/task.ts';
import './shared/websocket.ts';

const revision: TypedDocumentNode<RevisionData> = gql(REVISION);
const create: TypedDocumentNode<CreateData> = gql(CREATE);
const tasksUpdated: TypedDocumentNode<TasksUpdatedData> = gql(TASKS_UPDATED);
const taskFields: TypedDocumentNode<Task> = gql(TASK_FIELDS);

const http = ApolloLink.from([
  new RetryLink({
    delay: (tries) => patience(tries - 1),
    // No answer, or none of the gateway's own. What it refuses, it would refuse again.
    attempts: (_tries, _operation, error) => !ServerError.is(error) || error.statusCode >= 500,
  }),
  new HttpLink({ uri: GRAPHQL_URL, headers: AUTHORIZATION }),
]);
const socket = new GraphQLWsLink(
  createClient({
    url: SOCKET_URL,
    connectionParams: AUTHORIZATION,
    retryAttempts: 0, // It would ask with the same variables again; see below.
  }),
);
const client = new ApolloClient({
  cache: createCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    socket,
    http,
  ),
});

const { data: page } = await client.query({ query: revision });
let newest = page?.tasks.revision;

// Each connection goes on from the newest revision that an event had.
const events = defer(() => client.subscribe({ query: tasksUpdated, variables: { after: newest } })).pipe(
  concatMap(({ data, error }) => (error ? throwError(() => error) : of(data))),
  tap((data) => {
    newest = data?.tasksUpdated.revision ?? newest;
  }),
  retry({
    delay: (error: Error, tries) => (isFinal(error) ? throwError(() => error) : timer(patience(tries - 1))),
    resetOnSuccess: true,
  }),
);
const following = events.subscribe();

// Made up once: however often the mutation is sent, it is one task, and paid for once.
const input = { ...WISH, idempotencyKey: crypto.randomUUID() };
const { data } = await client.mutate({ mutation: create, variables: { input } });
if (!data) throw new Error('no answer');

const { id } = created(data);
const task = client.watchFragment({ fragment: taskFields, from: { __typename: 'Task', id } });
await task.pipe(takeWhile((now) => now.dataState !== 'complete' || !show(now.data))).forEach(() => undefined);
following.unsubscribe();

/** The gateway has something against the operation, or does not know (any more) who asks. */
function isFinal(error: Error): boolean {
  return CombinedGraphQLErrors.is(error) || error.message.includes(` ${FORBIDDEN} `);
}
