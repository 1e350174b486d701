import { NoSchemaIntrospectionCustomRule, type GraphQLError, type GraphQLSchema } from 'graphql';
import { createYoga, isAsyncIterable, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { FastifyBaseLogger } from 'fastify';
import type { ServerResponse } from 'node:http';
import { graphiqlOptions } from './graphiql.ts';
import type { OriginPolicy } from './origin-policy.ts';

export const GRAPHQL_PATH = '/graphql';

export interface GraphqlOptions<Context extends object> {
  readonly schema: GraphQLSchema;
  readonly context: () => Context;
  readonly maskError: (error: unknown) => GraphQLError;
  readonly mayCall: OriginPolicy;
  readonly graphiql: boolean;
  readonly introspection: boolean;
  readonly log: FastifyBaseLogger;
}

/** The GraphQL engine behind both doors: HTTP with Server-Sent Events, and WebSocket through its `getEnveloped`. */
export type Graphql<Context extends object> = YogaServerInstance<object, Context>;

export async function createGraphql<Context extends object>(
  options: GraphqlOptions<Context>,
): Promise<Graphql<Context>> {
  const { context, graphiql, introspection, log, maskError, mayCall, schema } = options;
  return createYoga<object, Context>({
    schema,
    context,
    graphqlEndpoint: GRAPHQL_PATH,
    ...(graphiql ? await graphiqlOptions() : { graphiql: false }),
    landingPage: false,
    multipart: false,
    maskedErrors: { maskError },
    plugins: introspection ? [endAbandoned] : [endAbandoned, withoutIntrospection],
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
