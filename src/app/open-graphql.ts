import type { Logger } from 'pino';
import type { Caller } from '../auth/principal.ts';
import type { Config } from '../config/config.ts';
import { createBeginInTurns } from '../limits/turns.ts';
import { createHub, type Hub } from '../websocket/hub.ts';
import type { LiveCounts } from '../websocket/socket.ts';
import type { Tally } from '../limits/concurrency.ts';
import type { Context } from '../resolvers/context.ts';
import { createMaskError } from '../engine/mask-error.ts';
import { schema } from '../schema/schema.ts';
import { createGraphqlHttp, type AnswerOverHttp } from '../http/graphql-http.ts';
import { createGraphql, type Graphql } from '../engine/yoga.ts';
import { limitListItems } from '../engine/limits.ts';
import type { TaskQueries } from '../tasks/tasks.ts';

/** What executes operations. */
export interface Executors {
  readonly graphql: Graphql<Context>;
  /** JSON over HTTP. */
  readonly answer: AnswerOverHttp;
  /** For subscriptions over sockets. */
  readonly hub: Hub;
}

/** The engine on our schema, with the limits that are configured. */
export function openGraphql(
  config: Config,
  options: {
    readonly log: Logger;
    readonly tasks: TaskQueries;
    readonly isOpen: boolean;
    readonly perOwner: Tally;
    readonly perAddress: Tally;
    readonly counts: LiveCounts;
  },
): Executors {
  const { counts, isOpen, log, perAddress, perOwner, tasks } = options;
  // Without access control the one who asks is the operator.
  const maySeeCredits = isOpen || config.showCredits;
  const maskError = createMaskError((error) => {
    log.error({ err: error }, 'a GraphQL operation failed unexpectedly');
  });
  const { introspection, maxListItems } = config;
  const context = ({ owner }: Caller, reqId: string): Context => ({
    caller: { owner, maySeeCredits },
    reqId,
    tasks,
    takeItems: limitListItems(maxListItems),
  });
  const graphql = createGraphql<Context>({
    schema,
    context,
    maskError,
    introspection,
    limits: config,
    perOwner,
    perAddress,
    inTurn: createBeginInTurns(),
  });
  const rightsOf = (context: unknown): string => JSON.stringify((context as Context).caller);
  const answer = createGraphqlHttp({ schema, context, maskError, ...graphql });
  return {
    answer,
    graphql,
    hub: createHub({ counts, maskError, rightsOf, hideSuggestions: !introspection }),
  };
}
