/** Relay: mutations over HTTP until they are answered, and a subscription on one task. */
import { createClient } from 'graphql-ws';
import {
  commitMutation,
  Environment,
  Network,
  Observable,
  RecordSource,
  requestSubscription,
  Store,
  type FetchFunction,
  type GraphQLResponse,
  type SubscribeFunction,
} from 'relay-runtime';
import createMutation, {
  type operationsCreateMutation,
} from './relay/__generated__/operationsCreateMutation.graphql.ts';
import taskUpdated, {
  type operationsTaskUpdatedSubscription,
} from './relay/__generated__/operationsTaskUpdatedSubscription.graphql.ts';
import {
  AUTHORIZATION,
  delay,
  GRAPHQL_URL,
  mayComeBack,
  patience,
  SOCKET_URL,
  WISH,
} from './shared/gateway.ts';
import { created, show } from './shared/task.ts';
import './shared/websocket.ts';

const socket = createClient({
  url: SOCKET_URL,
  connectionParams: AUTHORIZATION,
  retryAttempts: Infinity,
  shouldRetry: mayComeBack,
  retryWait: (tries) => delay(patience(tries)),
});

const fetchOverHttp: FetchFunction = async ({ text: query }, variables) => {
  const body = JSON.stringify({ query, variables });
  const headers = { 'content-type': 'application/json', ...AUTHORIZATION };
  for (let tries = 0; ; tries += 1) {
    try {
      const response = await fetch(GRAPHQL_URL, { method: 'POST', headers, body });
      // What the gateway refuses, it would refuse again; a proxy without a gateway says 502, 503 or 504.
      if (response.status < 500) return (await response.json()) as GraphQLResponse;
    } catch {
      // No answer.
    }
    await delay(patience(tries));
  }
};

const subscribeOverSocket: SubscribeFunction = ({ text: query }, variables) =>
  Observable.create<GraphQLResponse>(({ complete, error, next }) =>
    socket.subscribe(
      { query: query ?? '', variables },
      {
        complete,
        error,
        next: (result) => {
          next(result as GraphQLResponse);
        },
      },
    ),
  );

const environment = new Environment({
  network: Network.create(fetchOverHttp, subscribeOverSocket),
  store: new Store(new RecordSource()),
});

// Made up once: however often the mutation is sent, it is one task, and paid for once.
const input = { ...WISH, idempotencyKey: crypto.randomUUID() };
const { id } = created(
  await new Promise((onCompleted: (data: operationsCreateMutation['response']) => void, onError) => {
    commitMutation<operationsCreateMutation>(environment, {
      mutation: createMutation,
      variables: { input },
      onCompleted,
      onError,
    });
  }),
);

// After each reconnect the first event is the task as it is by then, so that nothing has to be remembered.
await new Promise<void>((onCompleted, onError) => {
  requestSubscription<operationsTaskUpdatedSubscription>(environment, {
    subscription: taskUpdated,
    variables: { id },
    onNext: (data) => data && show(data.taskUpdated),
    onError,
    onCompleted,
  });
});
