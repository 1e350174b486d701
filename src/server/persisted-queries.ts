import { GraphQLError } from 'graphql';
import type { Protocol } from '../live/protocol.ts';

/**
 * Stands for the text of an operation whose client sent only its hash. `Documents.parse` refuses it, so that every
 * transport gives the same answer.
 */
export const PERSISTED_QUERY = '# automatic persisted query';

/**
 * What Apollo's and urql's clients look for, upon which they send the text. The status is that of Apollo Server:
 * https://github.com/apollographql/apollo-server/blob/main/packages/server/src/internalErrorClasses.ts
 */
export function persistedQueryNotSupported(): GraphQLError {
  return new GraphQLError('PersistedQueryNotSupported', {
    extensions: {
      code: 'PERSISTED_QUERY_NOT_SUPPORTED',
      hint: 'Send the text of the operation as `query`.',
      http: { status: 200, spec: false },
    },
  });
}

/** The parameters of an operation, with a `query` in any case if they name a persisted one. */
export function withPersistedQuery<Params extends Readonly<Record<string, unknown>>>(params: Params): Params {
  const { extensions, query } = params;
  const isPersisted =
    (query === undefined || query === null || query === '') &&
    typeof extensions === 'object' &&
    extensions !== null &&
    'persistedQuery' in extensions;
  return isPersisted ? { ...params, query: PERSISTED_QUERY } : params;
}

/** The same over sockets: graphql-ws closes a socket with 4400 when an operation has no `query`. */
export function acceptPersistedQueries(protocol: Protocol): Protocol {
  return {
    ...protocol,
    opened: (socket, extra) =>
      protocol.opened(
        {
          ...socket,
          onMessage: (receive) => {
            socket.onMessage((message) => receive(withQuery(message)));
          },
        },
        extra,
      ),
  };
}

function withQuery(message: string): string {
  if (!message.includes('"persistedQuery"')) return message;
  try {
    const parsed = JSON.parse(message) as { readonly payload?: Readonly<Record<string, unknown>> };
    return parsed.payload
      ? JSON.stringify({ ...parsed, payload: withPersistedQuery(parsed.payload) })
      : message;
  } catch {
    // graphql-ws says what is wrong with it.
    return message;
  }
}
