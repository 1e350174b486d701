import { blockFieldSuggestionsPlugin } from '@escape.tech/graphql-armor-block-field-suggestions';
import { NoSchemaIntrospectionCustomRule, type GraphQLError, type GraphQLSchema } from 'graphql';
import { createYoga, isAsyncIterable, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { FastifyBaseLogger } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Caller } from '../access/caller.ts';
import type { Admission } from './admission.ts';
import { createGraphiql } from './graphiql.ts';
import { operationLimits, type OperationLimits } from './operation-limits.ts';
import type { OriginPolicy } from './origin-policy.ts';
import { refuseUnadmitted } from './refuse-unadmitted.ts';

export const GRAPHQL_PATH = '/graphql';

export interface GraphqlOptions<Context extends object> {
  readonly schema: GraphQLSchema;
  /** What resolvers work with, for one caller. */
  readonly context: (caller: Caller) => Context;
  readonly maskError: (error: unknown) => GraphQLError;
  readonly mayCall: OriginPolicy;
  readonly graphiql: boolean;
  readonly introspection: boolean;
  readonly limits: OperationLimits;
  readonly log: FastifyBaseLogger;
}

/** What comes with each operation, whichever door it came through. */
export interface Arrival {
  readonly admission: Admission;
}

/** The GraphQL engine behind both doors: HTTP with Server-Sent Events, and WebSocket through its `getEnveloped`. */
export type Graphql<Context extends object> = YogaServerInstance<Arrival, Context>;

export async function createGraphql<Context extends object>(
  options: GraphqlOptions<Context>,
): Promise<Graphql<Context>> {
  const { context, graphiql, introspection, limits, log, maskError, mayCall, schema } = options;
  const page = graphiql ? await createGraphiql() : null;
  return createYoga<Arrival, Context>({
    schema,
    context: ({ admission }) => context(callerOf(admission)),
    graphqlEndpoint: GRAPHQL_PATH,
    ...(page ?? { graphiql: false }),
    landingPage: false,
    multipart: false,
    maskedErrors: { maskError },
    maxRequestBodySize: false,
    plugins: [
      endAbandoned,
      refuseUnadmitted,
      ...(page ? [page.plugin] : []),
      ...operationLimits(limits),
      ...(introspection ? [] : [withoutIntrospection, blockFieldSuggestionsPlugin({ mask: '' })]),
    ],
    cors: ({ headers }) => {
      const origin = headers.get('origin');
      // Without cookies there is nothing that credentials could mean.
      return origin !== null && mayCall(origin, headers.get('host')) ? { origin, credentials: false } : false;
    },
    logging: {
      debug: (...args: unknown[]) => {
        log.debug({ args }, 'graphql');
      },
      info: (...args: unknown[]) => {
        log.info({ args }, 'graphql');
      },
      warn: (...args: unknown[]) => {
        log.warn({ args }, 'graphql');
      },
      error: (...args: unknown[]) => {
        log.error({ args }, 'graphql');
      },
    },
  });
}

function callerOf(admission: Admission): Caller {
  if ('caller' in admission) return admission.caller;
  throw new Error('an operation of somebody who was not let in came this far');
}

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
