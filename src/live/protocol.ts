import {
  GraphQLError,
  getOperationAST,
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLSchema,
} from 'graphql';
import {
  MessageType,
  makeServer,
  stringifyMessage,
  type Context,
  type Server as ProtocolServer,
  type ServerOptions,
  type SubscribePayload,
} from 'graphql-ws';
import { setImmediate } from 'node:timers/promises';
import type { Caller } from '../access/caller.ts';
import type { SocketExtra } from './socket-extra.ts';
import type { Welcome } from './welcome.ts';

/** One operation's way through the engine: the same steps, limits and masks that an HTTP request meets. */
export interface Operation {
  readonly schema: GraphQLSchema;
  readonly parse: (source: string) => DocumentNode;
  readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  readonly contextFactory: () => unknown;
  readonly execute: (args: ExecutionArgs) => unknown;
  readonly subscribe: (args: ExecutionArgs) => unknown;
}

export interface ProtocolOptions {
  readonly begin: (caller: Caller) => Operation;
  /** Decides on each connection_init. */
  readonly welcome: Welcome;
  /** How many operations may run on one socket at a time. */
  readonly maxSubscriptions: number;
}

type EnginedArgs = ExecutionArgs & Pick<Operation, 'execute' | 'subscribe'>;
type OperationResult = ReturnType<NonNullable<ServerOptions['execute']>>;

type SocketContext = Context<Record<string, unknown>, SocketExtra>;

export interface Protocol extends ProtocolServer<SocketExtra> {
  /** Fulfilled when the queries and mutations that are under way now are answered. */
  answered(): Promise<void>;
}

/**
 * The graphql-transport-ws protocol over an engine. An operation that is not let through is answered with an `error`
 * message of its own; the socket and its other operations live on.
 */
export function createProtocol({ begin, maxSubscriptions, welcome }: ProtocolOptions): Protocol {
  /** The ids of operations that are being begun. */
  const beginning = new WeakMap<SocketContext, Set<string>>();

  const answering = new Set<Promise<unknown>>();

  const server = makeServer<Record<string, unknown>, SocketExtra>({
    onConnect: ({ connectionParams, extra }) => welcome(connectionParams, extra),
    onSubscribe: async (context, id, payload) => {
      const { caller } = context.extra;
      if (!caller) throw new Error('an operation came before its caller was known');
      const refusal = refuse(context, maxSubscriptions);
      if (refusal) return [refusal];
      const ids = beginning.get(context) ?? new Set();
      if (ids.has(id)) return refuseId(context, id);
      beginning.set(context, ids.add(id));
      return prepare(begin(caller), payload, () => ids.delete(id));
    },
    execute: async (args) => {
      const answer = Promise.resolve(run(args, 'execute'));
      answering.add(answer);
      try {
        return await answer;
      } finally {
        answering.delete(answer);
      }
    },
    subscribe: (args) => run(args, 'subscribe'),
  });

  return {
    ...server,
    async answered() {
      await Promise.allSettled(answering);
      // By then the answers are on their way.
      await setImmediate();
    },
  };
}

/**
 * graphql-ws forgets an operation at its `complete`. One that was still being begun then would take the next operation
 * of its id for itself, give that one its events, and outlive the socket: so the next one is forgotten as well.
 */
function refuseId({ extra, subscriptions }: SocketContext, id: string): readonly GraphQLError[] {
  Reflect.deleteProperty(subscriptions, id);
  const error = new GraphQLError(`The operation before with the id "${id}" is still ending. Use another id.`);
  extra.send(stringifyMessage({ id, type: MessageType.Error, payload: [error.toJSON()] }));
  return [error];
}

function refuse({ extra, subscriptions }: SocketContext, maxSubscriptions: number): GraphQLError | null {
  const waitMs = extra.takeOperation();
  if (waitMs > 0) {
    const retryAfter = Math.ceil(waitMs / 1000);
    const hint = `Try again in ${retryAfter} s.`;
    return rejected('RATE_LIMITED', 'Too many operations on this socket.', { hint, retryAfter });
  }
  // The new one is counted already.
  if (Object.keys(subscriptions).length <= maxSubscriptions) return null;
  const hint = 'Complete some first, follow several tasks with one tasksUpdated, or open another socket.';
  const message = `More than ${maxSubscriptions} operations at a time on this socket.`;
  return rejected('TOO_MANY_SUBSCRIPTIONS', message, { hint });
}

function rejected(code: string, message: string, more: object): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...more } });
}

async function prepare(
  operation: Operation,
  { operationName, query, variables }: SubscribePayload,
  onBegun: () => void,
): Promise<EnginedArgs | readonly GraphQLError[]> {
  const { execute, schema, subscribe } = operation;
  let isReady = false;
  try {
    const document = operation.parse(query);
    const errors = operation.validate(schema, document);
    if (errors.length > 0) return errors;
    if (!getOperationAST(document, operationName)) return [new GraphQLError('Unable to identify operation.')];
    const contextValue = await operation.contextFactory();
    isReady = true;
    return {
      schema,
      document,
      contextValue,
      execute: andThen(execute, onBegun),
      subscribe: andThen(subscribe, onBegun),
      operationName: operationName ?? null,
      variableValues: variables ?? {},
    };
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  } finally {
    if (!isReady) onBegun();
  }
}

function andThen(
  start: (args: ExecutionArgs) => unknown,
  onEnd: () => void,
): (args: ExecutionArgs) => Promise<unknown> {
  return async (args) => {
    try {
      return await start(args);
    } finally {
      onEnd();
    }
  };
}

/** graphql-ws hands back what `prepare` gave it, under its own narrower type. */
function run(args: ExecutionArgs, verb: 'execute' | 'subscribe'): OperationResult {
  return (args as EnginedArgs)[verb](args) as OperationResult;
}
