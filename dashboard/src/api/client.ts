import {
  Client,
  fetchExchange,
  subscriptionExchange,
  type AnyVariables,
  type ExecutionResult,
  type OperationResult,
  type TypedDocumentNode,
} from '@urql/core';
import { signOut } from './connection.ts';
import { authorization, credential } from './credential.ts';
import { createSocket } from './socket.ts';

const socket = createSocket();

/** Subscriptions over a WebSocket, all else over HTTP. What tasks are is kept in `known-tasks`, and nowhere else. */
export const client = new Client({
  url: '/graphql',
  preferGetMethod: false,
  requestPolicy: 'network-only',
  fetchOptions: () => ({ headers: { ...authorization() } }),
  exchanges: [
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query = '', variables = {} }) => ({
        subscribe: ({ complete, error, next }) => {
          const sink = {
            complete,
            error,
            next: (result: unknown) => {
              next(result as ExecutionResult);
            },
          };
          return { unsubscribe: socket.subscribe({ query, variables }, sink) };
        },
      }),
    }),
  ],
});

/** Asks a query and returns its data; throws as `change` does. */
export function ask<Data, Variables extends AnyVariables>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  return dataOf(() => client.query(query, variables).toPromise());
}

/**
 * Asks for a mutation and returns its data. Throws RequestFailed when there is none, or when somebody else has signed in
 * meanwhile; a refused credential leads back to the sign-in.
 */
export function change<Data, Variables extends AnyVariables>(
  mutation: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  return dataOf(() => client.mutation(mutation, variables).toPromise());
}

async function dataOf<Data>(run: () => Promise<OperationResult<Data>>): Promise<Data> {
  const asker = credential.get();
  const { data, error } = await run();
  if (credential.get() !== asker) throw new RequestFailed(null);
  if (error?.response && (error.response as Response).status === 401) signOut(true);
  if (data !== undefined && !error) return data;
  throw new RequestFailed(error?.graphQLErrors[0]?.message ?? null);
}

/** A request without an answer that can be used; `said` is the gateway's own sentence, null when it said nothing. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
  readonly said: string | null;

  constructor(said: string | null) {
    super(said ?? 'no answer');
    this.said = said;
  }
}
