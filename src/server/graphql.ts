import { NoSchemaIntrospectionCustomRule, execute, type GraphQLError, type GraphQLSchema } from 'graphql';
import { createYoga, isAsyncIterable, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { ServerResponse } from 'node:http';
import type { Caller } from '../access/caller.ts';
import type { Tally } from '../live/tally.ts';
import { callerOf, type Admission } from './admission.ts';
import type { Execute } from './compiled-execution.ts';
import { endExpiredStreams } from './end-expired-streams.ts';
import { answerKnownOutcome, type KnownOutcome } from './known-outcome.ts';
import { createIsMutation, type IsMutation } from './is-mutation.ts';
import { limitStreams } from './limit-streams.ts';
import { operationLimits, type OperationLimits } from './operation-limits.ts';
import type { OriginPolicy } from './origin-policy.ts';
import { parsedOnce } from './parsed-once.ts';
import { refuseUnadmitted } from './refuse-unadmitted.ts';
import { createRunOperation, type RunOperation } from './run-operation.ts';
import { withoutSuggestions } from './without-suggestions.ts';

export const GRAPHQL_PATH = '/graphql';

export interface GraphqlOptions<Context extends object> {
  readonly schema: GraphQLSchema;
  /** What resolvers work with, for one caller; `reqId` names the request in the log. */
  readonly context: (caller: Caller, reqId: string) => Context;
  readonly maskError: (error: unknown) => GraphQLError;
  /** Executes queries that come without anything unusual. */
  readonly executeQuery: Execute;
  readonly mayCall: OriginPolicy;
  readonly introspection: boolean;
  readonly limits: OperationLimits;
  /** Open sockets and streams of each owner, and of each address. */
  readonly perOwner: Tally;
  readonly perAddress: Tally;
}

/** What comes with each operation, whichever door it came through. */
export interface Arrival {
  readonly admission: Admission;
  /** The connection of an HTTP request; null for what comes over a socket. */
  readonly connection: Connection | null;
  /** Names the request in the log; what comes over a socket has that of its upgrade. */
  readonly reqId: string;
}

export interface Connection {
  /** Where it comes from. */
  readonly address: () => string;
  /** The host that its client asked for; undefined when it named none. */
  readonly host: () => string | undefined;
  /** Calls `run` when the answer is out, or can no longer go out. */
  readonly onClosed: (run: () => void) => void;
  /** Cuts the stream that is its answer, or will be. */
  readonly endStream: () => void;
}

/** What executes GraphQL behind both doors. */
export interface Graphql<Context extends object> {
  /** HTTP with Server-Sent Events, and WebSocket through its `getEnveloped`. */
  readonly engine: YogaServerInstance<Arrival & KnownOutcome, Context>;
  /** The same for a query or mutation about which there is nothing to be said but its data. */
  readonly run: RunOperation;
  readonly isMutation: IsMutation;
}

export function createGraphql<Context extends object>(options: GraphqlOptions<Context>): Graphql<Context> {
  const { context, executeQuery, introspection, limits, maskError, mayCall, perAddress, perOwner, schema } =
    options;
  const parsed = parsedOnce();
  const engine = createYoga<Arrival & KnownOutcome, Context>({
    schema,
    context: ({ admission, reqId }) => context(callerOf(admission), reqId),
    graphqlEndpoint: GRAPHQL_PATH,
    // The page is ours, and is served before anything comes here.
    graphiql: false,
    landingPage: false,
    multipart: false,
    maskedErrors: { maskError },
    maxRequestBodySize: false,
    parserAndValidationCache: parsed,
    plugins: [
      executedByGraphqlJs,
      endAbandoned,
      varyByOrigin,
      refuseUnadmitted,
      answerKnownOutcome,
      limitStreams(perOwner, perAddress),
      endExpiredStreams,
      ...operationLimits(limits),
      ...(introspection ? [] : [withoutIntrospection, withoutSuggestions]),
    ],
    cors: ({ headers }, arrival) => {
      const origin = headers.get('origin');
      const { connection } = arrival as Arrival;
      // Without cookies there is nothing that credentials could mean.
      return origin !== null && mayCall(origin, connection?.host()) ? { origin, credentials: false } : false;
    },
    // What is unexpected is reported by maskError.
    logging: false,
  });
  const documents = parsed.documentCache;
  const run = createRunOperation({ schema, context, maskError, executeQuery, documents });
  return { engine, run, isMutation: createIsMutation(documents, limits.maxTokens) };
}

/** The engine brings an executor of its own, which now and then comes to something else; here all doors have the same. */
const executedByGraphqlJs: Plugin = {
  onExecute: ({ setExecuteFn }) => {
    setExecuteFn(execute);
  },
};

/** A stream whose client left before it began is read by nobody, so nobody else would ever end it. */
const endAbandoned: Plugin<object, { readonly res?: ServerResponse }> = {
  onResultProcess: async ({ result, serverContext }) => {
    if (serverContext.res?.destroyed && isAsyncIterable(result))
      await result[Symbol.asyncIterator]().return?.();
  },
};

const withoutIntrospection: Plugin = {
  onValidate: ({ addValidationRule }) => {
    addValidationRule(NoSchemaIntrospectionCustomRule);
  },
};

/** A cache in between must not give one origin the answer of another. */
const varyByOrigin: Plugin = {
  onResponse: ({ response }) => {
    response.headers.append('vary', 'Origin');
  },
};
