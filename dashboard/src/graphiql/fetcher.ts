import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { createClient } from 'graphql-ws';
import { authorization } from '../api/credential.ts';
import { currentOperation } from './current-operation.ts';

const PATH = '/graphql';

/** With this code the gateway closes sockets of those whom it does not know; coming back with the same is no use. */
const FORBIDDEN = 4403;

/**
 * Runs operations: subscriptions over a WebSocket of their own, all others as HTTP posts. Both carry the headers of the
 * editor, the socket in its connection_init; without an Authorization among them, the credential of the dashboard.
 */
export const fetcher: Fetcher = (given, options) => {
  const { documentAST, params } = currentOperation(given);
  const headers = withCredential(options?.headers);
  const run = createGraphiQLFetcher({
    url: PATH,
    enableIncrementalDelivery: false,
    // Connects when something is subscribed to.
    wsClient: createClient({
      url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${PATH}`,
      connectionParams: headers,
      shouldRetry: (event) => event instanceof CloseEvent && event.code !== FORBIDDEN,
    }),
  });
  return run(params, { headers, ...(documentAST && { documentAST }) });
};

/** In lower case, so that no name is there twice: a browser would join the values. */
function withCredential(typed: Readonly<Record<string, unknown>> | undefined): Record<string, string> {
  const named = Object.entries(typed ?? {}).map(
    ([name, value]) => [name.toLowerCase(), String(value)] as const,
  );
  return { ...authorization(), ...Object.fromEntries(named) };
}
