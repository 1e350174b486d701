import { createClient } from 'graphql-ws';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { TaskStore } from '../../src/tasks/store.ts';
import { type ApiTask, TASKS_UPDATED } from '../kit/documents.ts';
import { deferred, onTestEnd } from '../kit/waits.ts';
import { openSse } from '../kit/sse.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { SECRET, claims, inSeconds, signWith } from './tokens.ts';

const ENV = { JWT_SECRET: SECRET };
/** How many tokens a reader outlives. */
const EXPIRIES = 2;

async function freshToken(seconds = 1.2): Promise<{ readonly authorization: string }> {
  return { authorization: `Bearer ${await signWith(SECRET, claims({ exp: inSeconds(seconds) }))}` };
}

/** Adds a task of Ada's now and remembers that somebody has to see it. */
function createAdding(store: TaskStore) {
  const added: Promise<{ readonly id: string; readonly revision: number }>[] = [];
  return {
    add: () => added.push(addTask(store, { owner: 'ada' })),
    ids: async () => (await Promise.all(added)).map(({ id }) => id),
  };
}

describe('with a new token', () => {
  it('a graphql-ws client reconnects by itself, resumes its subscriptions, and misses nothing', async () => {
    const { gateway, store } = await startHeldGateway({ env: ENV });
    const { add, ids } = createAdding(store);
    const seen: ApiTask[] = [];
    const codes: unknown[] = [];
    const enough = deferred('the client saw the last task');
    const client = createClient({
      url: gateway.graphqlUrl.replace(/^http/, 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: freshToken,
      shouldRetry: () => true,
      retryAttempts: 100,
      retryWait: () => Promise.resolve(),
    });
    onTestEnd(() => client.dispose());
    const stopAdding = client.on('connected', add);
    const stopFillingGaps = client.on('closed', (event) => {
      codes.push((event as { readonly code: number }).code);
      // Nobody listens now.
      add();
    });

    // Read anew at each subscribe: the client sends what its cursor says by then.
    const variables = { after: 0 };
    const stop = client.subscribe<{ tasksUpdated: ApiTask }>(
      { query: TASKS_UPDATED, variables },
      {
        next: ({ data }) => {
          if (!data) return;
          seen.push(data.tasksUpdated);
          variables.after = data.tasksUpdated.revision;
          // The last one that was added, after the last token.
          if (codes.length >= EXPIRIES && seen.length >= 2 * EXPIRIES + 1) enough.resolve();
        },
        error: (error) => {
          enough.reject(new Error('the client gave up', { cause: error }));
        },
        complete: () => undefined,
      },
    );
    await enough.promise;
    stopAdding();
    stopFillingGaps();
    stop();
    expect(codes.slice(0, EXPIRIES)).toEqual(Array.from({ length: EXPIRIES }, () => 4403));
    expect(seen.map(({ id }) => id)).toEqual((await ids()).slice(0, seen.length));
  });

  it('an event-stream client resumes after its last revision, and misses nothing', async () => {
    const { gateway, store } = await startHeldGateway({ env: ENV });
    const { add, ids } = createAdding(store);
    const seen: string[] = [];
    let after = 0;
    const read = async (seconds?: number) => {
      const operation = { query: TASKS_UPDATED, variables: { after } };
      const stream = await openSse(gateway.graphqlUrl, operation, { headers: await freshToken(seconds) });
      return async (): Promise<void> => {
        const { tasksUpdated } = await stream.data();
        seen.push(tasksUpdated.id);
        after = tasksUpdated.revision;
      };
    };
    const readUntilExpired = async (): Promise<unknown> => {
      const next = await read();
      add();
      try {
        for (;;) await next();
      } catch (error) {
        return error;
      }
    };

    add();
    for (let expiry = 0; expiry < EXPIRIES; expiry += 1) {
      expect(String(await readUntilExpired())).toContain('ended with its connection');
      add();
    }
    const all = await ids();
    const next = await read(3600);
    while (seen.length < all.length) await next();
    expect(seen).toEqual(all);
  });
});
