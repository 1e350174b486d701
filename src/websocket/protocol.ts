import { GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { makeServer, type Server as ProtocolServer } from 'graphql-ws';
import { setImmediate } from 'node:timers/promises';
import {
  type AuthorizeOperation,
  beginOperation,
  type Engine,
  type RefuseOverload,
  createRunningOperations,
} from './operations.ts';
import type { InTurn } from '../limits/turns.ts';
import { formatError, formatResult, type Hub, type SubscriptionArgs } from './hub.ts';
import type { SocketExtra } from './socket.ts';
import type { OnConnect } from './on-connect.ts';

interface ProtocolOptions {
  readonly engine: Engine;
  /** Decides on each connection_init. */
  readonly onConnect: OnConnect;
  /** Decides on each operation. */
  readonly authorizeOperation: AuthorizeOperation;
  /** Decides on each authorized operation, once its type is known. */
  readonly refuseOverload: RefuseOverload;
  readonly hub: Hub;
  /** Schedules the start of operations. */
  readonly inTurn: InTurn;
}

export interface Protocol extends ProtocolServer<SocketExtra> {
  /** Resolves when the queries and mutations that run now are answered. */
  answered(): Promise<void>;
}

/**
 * The graphql-transport-ws protocol. A refused operation gets an `error` message; the socket and its other operations
 * continue.
 */
export function createProtocol(options: ProtocolOptions): Protocol {
  const { authorizeOperation, engine, hub, inTurn, onConnect, refuseOverload } = options;
  const running = createRunningOperations();
  const answering = new Set<Promise<unknown>>();

  const server = makeServer<Record<string, unknown>, SocketExtra>({
    onConnect: (context) => {
      const { connectionParams, extra } = context;
      // graphql-ws would keep the credentials in it as long as the socket.
      Reflect.deleteProperty(context, 'connectionParams');
      return onConnect(connectionParams, extra);
    },
    onSubscribe: async (context, id, payload) => {
      const { sendBuffer, principal, reqId } = context.extra;
      if (!principal) throw new Error('an operation arrived before authentication');
      const unusable = running.begin(context, id);
      if (unusable) return unusable;
      const refusal = await authorizeOperation(context, principal);
      const begun = refusal
        ? [refusal]
        : await inTurn(principal.owner, async () =>
            Promise.resolve(
              // The client may have sent `complete`, or left.
              id in context.subscriptions
                ? beginOperation(engine, payload, refuseOverload, { principal, reqId, id, sendBuffer })
                : [ENDED],
            ),
          );
      if ('document' in begun) return begun;
      running.end(context, id);
      return begun;
    },
    onComplete: running.end,
    onNext: (_context, _id, _payload, _args, result) => formatResult(result as ExecutionResult),
    onError: (_context, _id, _payload, errors) => errors.map(formatError),
    execute: async (args) => {
      const answer = executeMasked(args, engine);
      answering.add(answer);
      try {
        return await answer;
      } finally {
        answering.delete(answer);
      }
    },
    subscribe: (args) => hub.subscribe(handedBack(args)),
  });

  return {
    ...server,
    async answered() {
      await Promise.allSettled(answering);
      // By then the answers have been written.
      await setImmediate();
    },
  };
}

/** No client receives it. */
const ENDED = new GraphQLError('The operation ended before it began.');

async function executeMasked(args: ExecutionArgs, { executed, maskError }: Engine): Promise<ExecutionResult> {
  const result = await executed(args);
  return result.errors ? { ...result, errors: result.errors.map(maskError) } : result;
}

/** graphql-ws passes on what `onSubscribe` returned, under a narrower type. */
function handedBack(args: ExecutionArgs): SubscriptionArgs {
  return args as SubscriptionArgs;
}
