import {
  GraphQLError,
  execute,
  type DocumentNode,
  type GraphQLSchema,
  createSourceEventStream,
  type ExecutionResult,
} from 'graphql';
import { createYoga, isAsyncIterable, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { ServerResponse } from 'node:http';
import { type Principal, atExpiry } from '../auth/principal.ts';
import type { InTurn } from '../limits/turns.ts';
import type { ConcurrencyLimit } from '../limits/concurrency.ts';
import { createDocuments, type Documents } from './documents.ts';
import type { OperationLimits } from './limits.ts';
import type { GraphqlParams } from './request-params.ts';

export const GRAPHQL_PATH = '/graphql';

interface GraphqlOptions<Context extends object> {
  readonly schema: GraphQLSchema;
  /** The context of one operation. `reqId` is the id of the request in the log. */
  readonly context: (principal: Principal, reqId: string) => Context;
  readonly maskError: (error: unknown) => GraphQLError;
  readonly introspection: boolean;
  readonly limits: OperationLimits;
  /** Open sockets and streams of each owner, and of each address. */
  readonly perOwner: ConcurrencyLimit;
  readonly perAddress: ConcurrencyLimit;
  /** Schedules the events of event streams. */
  readonly inTurn: InTurn;
}

/** The server context of an operation over an event stream. */
export interface Arrival {
  /** Who sent the operation. Resolvers get a `viewer` made from it. */
  readonly principal: Principal;
  readonly connection: Connection;
  /** The id of the request in the log. */
  readonly reqId: string;
  readonly params?: GraphqlParams;
}

export interface Connection {
  /** The address of the client. */
  readonly address: () => string;
  /** Calls `run` when the response is sent or its connection is closed. */
  readonly onClosed: (run: () => void) => void;
  /** Cuts the event stream. */
  readonly endStream: () => void;
}

/** GraphQL behind all transports. */
export interface Graphql<Context extends object> {
  /** `execute` of graphql-js, as all transports call it. */
  readonly executed: typeof execute;
  /** Event streams. */
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
    // The HTTP layer does these.
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
    // maskError reports unexpected errors.
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
        // Thrown: Yoga would answer a syntax error with 200 for some media types.
        if (result instanceof GraphQLError && result.extensions.http) throw result;
      };
    },
    onValidate: ({ setValidationFn }) => {
      setValidationFn((_schema: GraphQLSchema, document: DocumentNode) => validate(document));
    },
  };
}

/** Replaces Yoga's own executor, whose results differ in places from those of the other transports. */
function executedBy(executed: typeof execute): Plugin {
  return {
    onExecute: ({ setExecuteFn }) => {
      setExecuteFn(executed);
    },
  };
}

/** Ends a stream whose client left before it started: nothing else would. */
const endAbandoned: Plugin<object, { readonly res?: ServerResponse }> = {
  onResultProcess: async ({ result, serverContext }) => {
    if (serverContext.res?.destroyed && isAsyncIterable(result))
      await result[Symbol.asyncIterator]().return?.();
  },
};

/** Without these headers, proxies such as nginx buffer events until the stream ends, and others compress them in blocks. */
const unbuffered: Plugin = {
  onResponse: ({ response: { headers } }) => {
    if (headers.get('content-type')?.startsWith('text/event-stream') !== true) return;
    headers.set('cache-control', 'no-cache, no-transform');
    headers.set('x-accel-buffering', 'no');
  },
};

/** Ends an event stream when its token expires. */
const endExpiredStreams: Plugin<Arrival> = {
  onSubscribe({ args }) {
    const { connection, principal } = args.contextValue;
    connection.onClosed(atExpiry(principal, connection.endStream));
  },
};

/** Retry-After in seconds. A guess: it is unknown when other clients leave. */
const RETRY_AFTER_S = 5;

/** Counts event streams together with sockets of the same owner and address, and refuses a stream above a limit. */
function limitStreams(perOwner: ConcurrencyLimit, perAddress: ConcurrencyLimit): Plugin<Arrival> {
  return {
    onSubscribe({ args, setResultAndStopExecution }) {
      const { connection, principal } = args.contextValue;
      const { owner } = principal;
      const address = connection.address();
      if (!perOwner.add(owner)) {
        setResultAndStopExecution({ errors: [tooMany('owner')] });
        return;
      }
      if (!perAddress.add(address)) {
        perOwner.remove(owner);
        setResultAndStopExecution({ errors: [tooMany('address')] });
        return;
      }
      connection.onClosed(() => {
        perOwner.remove(owner);
        perAddress.remove(address);
      });
    },
  };
}

function tooMany(of: 'owner' | 'address'): GraphQLError {
  return new GraphQLError(`Too many sockets and streams of this ${of} are open.`, {
    extensions: {
      code: 'TOO_MANY_SUBSCRIPTIONS',
      hint: `Close some first, or try again in ${RETRY_AFTER_S} s.`,
      retryAfter: RETRY_AFTER_S,
      http: { status: 429, headers: { 'retry-after': String(RETRY_AFTER_S) } },
    },
  });
}

/**
 * Executes each event in the turn of its owner. One change may be an event of thousands of streams with documents of their
 * own.
 */
function eventsInTurn(inTurn: InTurn, hideSuggestions: boolean): Plugin<Arrival> {
  return {
    onSubscribe({ args, setSubscribeFn }) {
      const { owner } = args.contextValue.principal;
      const asked = { ...args, hideSuggestions };
      setSubscribeFn(async () => {
        const source = await createSourceEventStream(asked);
        if (!(Symbol.asyncIterator in source)) return source;
        return mapped(source, (rootValue) =>
          inTurn(owner, async () => Promise.resolve(execute({ ...asked, rootValue }))),
        );
      });
    },
  };
}

/** No async generator, because one cannot be ended while it waits for an event. */
function mapped(
  source: AsyncIterable<unknown>,
  resultOf: (event: unknown) => Promise<ExecutionResult>,
): AsyncIterableIterator<ExecutionResult, undefined> {
  const events = source[Symbol.asyncIterator]();
  return {
    async next() {
      const event = await events.next();
      if (event.done) return { done: true, value: undefined };
      return { done: false, value: await resultOf(event.value) };
    },
    async return() {
      await events.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
