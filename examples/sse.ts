/** Server-sent events with graphql-sse: HTTP alone, where no WebSocket gets through. */
import { createClient } from 'graphql-sse';
import { CREATE, TASK_UPDATED } from './shared/documents.ts';
import { AUTHORIZATION, delay, GRAPHQL_URL, patience, WISH } from './shared/gateway.ts';
import { result, results } from './shared/results.ts';
import { created, show, type CreateData, type TaskUpdatedData } from './shared/task.ts';

let refusal: Error | null = null;

// In its default mode, one connection for each operation, it speaks what the gateway speaks.
const client = createClient({
  url: GRAPHQL_URL,
  headers: AUTHORIZATION,
  fetchFn: async (...request: Parameters<typeof fetch>) => {
    const response = await fetch(...request);
    if (response.status >= 400 && response.status < 500) refusal = new Error(await response.text());
    return response;
  },
  retryAttempts: Infinity,
  retry: async (tries) => {
    // By itself it would be refused again and again.
    if (refusal) throw refusal;
    await delay(patience(tries));
  },
});

// Made up once: however often the mutation is sent, it is one task, and paid for once.
const input = { ...WISH, idempotencyKey: crypto.randomUUID() };
const { id } = created(await result<CreateData>(client, { query: CREATE, variables: { input } }));

// After each reconnect the first event is the task as it is by then, so that nothing has to be remembered.
const events = results<TaskUpdatedData>(client, { query: TASK_UPDATED, variables: { id } });
for await (const { taskUpdated } of events) show(taskUpdated);
