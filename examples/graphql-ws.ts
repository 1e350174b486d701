/** graphql-ws alone: everything over one WebSocket, which comes back by itself and sends anew what has no answer yet. */
import { createClient } from 'graphql-ws';
import { CREATE, TASK_UPDATED } from './shared/documents.ts';
import { AUTHORIZATION, delay, mayComeBack, patience, SOCKET_URL, WISH } from './shared/gateway.ts';
import { result, results } from './shared/results.ts';
import { created, show, type CreateData, type TaskUpdatedData } from './shared/task.ts';
import './shared/websocket.ts';

const client = createClient({
  url: SOCKET_URL,
  connectionParams: AUTHORIZATION,
  retryAttempts: Infinity,
  shouldRetry: mayComeBack,
  retryWait: (tries) => delay(patience(tries)),
});

// Made up once: however often the mutation is sent, it is one task, and paid for once.
const input = { ...WISH, idempotencyKey: crypto.randomUUID() };
const { id } = created(await result<CreateData>(client, { query: CREATE, variables: { input } }));

// After each reconnect the first event is the task as it is by then, so that nothing has to be remembered.
const events = results<TaskUpdatedData>(client, { query: TASK_UPDATED, variables: { id } });
for await (const { taskUpdated } of events) show(taskUpdated);
await client.dispose();
