import { GraphQLError, execute, type DocumentNode, type GraphQLSchema } from 'graphql';
import { createYoga, isAsyncIterable, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { ServerResponse } from 'node:http';
import type { Caller } from '../auth/principal.ts';
import type { InTurn } from '../limits/turns.ts';
import type { Tally } from '../limits/concurrency.ts';
import { createDocuments, type Documents } from './documents.ts';
import { endExpiredStreams } from './end-expired-streams.ts';
import { eventsInTurn } from './events-in-turn.ts';
import { limitStreams } from './limit-streams.ts';
import type { OperationLimits } from './operation-limits.ts';
import type { GraphqlParams } from './request-params.ts';

export const GRAPHQL_PATH = '/graphql';

/** Whether a request target is the endpoint or lies below it; the target may be an absolute URL. */
export function isGraphqlUrl(url: string): boolean {
  return /^(?:https?:\/\/[^/?#]*)?\/graphql(?:[/?]|$)/i.test(url);
}

export interface GraphqlOptions<Context extends object> {
  readonly schema: GraphQLSchema;
  /** What resolvers work with, for one operation; `reqId` names the request in the log. */
  readonly context: (caller: Caller, reqId: string) => Context;
  readonly maskError: (error: unknown) => GraphQLError;
  readonly introspection: boolean;
  readonly limits: OperationLimits;
  /** Open sockets and streams of each owner, and of each address. */
  readonly perOwner: Tally;
  readonly perAddress: Tally;
  /** When events of event streams are executed. */
  readonly inTurn: InTurn;
}

/** What comes with each operation over an event stream or a socket. */
export interface Arrival {
  /** Who sent it. The context of resolvers has a `caller` of its own. */
  readonly principal: Caller;
  /** The connection of an event stream; null for what comes over a socket. */
  readonly connection: Connection | null;
  /** Names the request in the log; what comes over a socket has that of its upgrade. */
  readonly reqId: string;
  /** What an HTTP request asks for. */
  readonly params?: GraphqlParams;
}

export interface Connection {
  /** Where it comes from. */
  readonly address: () => string;
  /** Calls `run` when the answer is out, or can no longer go out. */
  readonly onClosed: (run: () => void) => void;
  /** Cuts the stream that is its answer, or will be. */
  readonly endStream: () => void;
}

/** What executes GraphQL behind all transports. */
export interface Graphql<Context extends object> {
  /** graphql-js, as all transports run it. */
  readonly executed: typeof execute;
  /** Event streams, and WebSockets through its `getEnveloped`. */
  readonly engine: YogaServerInstance<Arrival, Context>;
  readonly documents: Documents;
}

export function createGraphql<Context extends object>(options: GraphqlOptions<Context>): Graphql<Context> {
  const { context, inTurn, introspection, maskError, perAddress, perOwner, schema } = options;
  const documents = createDocuments(options);
  const executed: typeof execute = (args) => execute({ ...args, hideSuggestions: !introspection });
  const engine = createYoga<Arrival, Context>({
    schema,
    context: ({ principal, reqId }) => context(principal, reqId),
    graphqlEndpoint: GRAPHQL_PATH,
    // The route has these.
    cors: false,
    graphiql: false,
    landingPage: false,
    multipart: false,
    maxRequestBodySize: false,
    maskedErrors: { maskError },
    parserAndValidationCache: false,
    plugins: [
      paramsOfRoute,
      checkedBy(documents),
      executedBy(executed),
      eventsInTurn(inTurn, !introspection),
      endAbandoned,
      unbuffered,
      limitStreams(perOwner, perAddress),
      endExpiredStreams,
    ],
    // What is unexpected is reported by maskError.
    logging: false,
  });
  return { engine, documents, executed };
}

/** The route has read the body. */
const paramsOfRoute: Plugin<object, Arrival> = {
  onRequestParse: ({ serverContext: { params = {} }, setRequestParser }) => {
    setRequestParser(() => params);
  },
};

function checkedBy({ parse, validate }: Documents): Plugin {
  return {
    onParse: ({ setParseFn }) => {
      setParseFn(parse);
      return ({ result }) => {
        // Thrown, since Yoga would answer a syntax error over some media types with 200.
        if (result instanceof GraphQLError && result.extensions.http) throw result;
      };
    },
    onValidate: ({ setValidationFn }) => {
      setValidationFn((_schema: GraphQLSchema, document: DocumentNode) => validate(document));
    },
  };
}

/** Yoga has an executor of its own, whose results differ in places; all transports have the same one. */
function executedBy(executed: typeof execute): Plugin {
  return {
    onExecute: ({ setExecuteFn }) => {
      setExecuteFn(executed);
    },
  };
}

/** A stream whose client left before it began is read by nobody, so nobody else would ever end it. */
const endAbandoned: Plugin<object, { readonly res?: ServerResponse }> = {
  onResultProcess: async ({ result, serverContext }) => {
    if (serverContext.res?.destroyed && isAsyncIterable(result))
      await result[Symbol.asyncIterator]().return?.();
  },
};

/** Proxies such as nginx would hold events back until the stream ends, and others compress them in blocks. */
const unbuffered: Plugin = {
  onResponse: ({ response: { headers } }) => {
    if (headers.get('content-type')?.startsWith('text/event-stream') !== true) return;
    headers.set('cache-control', 'no-cache, no-transform');
    headers.set('x-accel-buffering', 'no');
  },
};
