import {
  Client,
  fetchExchange,
  subscriptionExchange,
  type ExecutionResult,
  type OperationResult,
} from '@urql/core';
import { signOut } from './connection.ts';
import { authorization } from './credential.ts';
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

/** Begins the socket anew, as somebody else or after a pause. */
export function reconnect(): void {
  socket.terminate();
}

/** The data of an answer. Throws a sentence for people when there is none; a refused credential leads back to the sign-in. */
export function dataOf<Data>({ data, error }: OperationResult<Data>): Data {
  if (error?.response && (error.response as Response).status === 401) signOut(true);
  if (data !== undefined && data !== null && !error) return data;
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
