import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { useServer } from 'graphql-ws/use/ws';
import { createSchema, createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { deferred, onTestEnd, createQueue } from '../kit/waits.ts';

/** A GraphQL API of two fields over HTTP, SSE and sockets, whose subscription says what the test wants. */
export interface TinyApi {
  readonly url: string;
  readonly sockets: WebSocketServer;
  /** What the sockets were told in `connection_init`. */
  readonly connectionParams: readonly unknown[];
  readonly push: (word: string) => void;
  /** Completes the subscriptions, once they have given what was pushed. */
  readonly complete: () => void;
  /** Resolves when a subscriber has left. */
  readonly left: Promise<void>;
}

const typeDefs = /* GraphQL */ `
  type Query {
    echo(word: String!): String!
  }
  type Subscription {
    word: String!
  }
`;

export async function startTinyApi({ token }: { readonly token?: string } = {}): Promise<TinyApi> {
  const words = createQueue<string>('a word');
  const left = deferred();
  const connectionParams: unknown[] = [];
  const schema = createTinySchema(() => words.take(), left.resolve);

  const yoga = createYoga({ schema, logging: false });
  const server = createServer((request, response) => void yoga(request, response));
  const sockets = new WebSocketServer({ server, path: '/graphql' });
  const protocol = useServer(
    {
      schema,
      onConnect: (context) => {
        connectionParams.push(context.connectionParams);
        return token === undefined || context.connectionParams?.['token'] === token;
      },
    },
    sockets,
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestEnd(async () => {
    await protocol.dispose();
    server.close();
    server.closeAllConnections();
  });

  const { port } = server.address() as AddressInfo;
  const complete = (): void => {
    words.fail(new Error('no more words'));
  };
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    sockets,
    connectionParams,
    push: (word) => {
      words.push(word);
    },
    complete,
    left: left.promise,
  };
}

function createTinySchema(takeWord: () => Promise<string>, onLeave: () => void) {
  const words = (): AsyncIterableIterator<{ word: string }> => ({
    next: () =>
      takeWord().then(
        (word) => ({ done: false, value: { word } }),
        () => ({ done: true, value: undefined }),
      ),
    return: () => {
      onLeave();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  });
  return createSchema({
    typeDefs,
    resolvers: {
      Query: { echo: (_root: unknown, { word }: { word: string }) => word },
      Subscription: { word: { subscribe: words } },
    },
  });
}
