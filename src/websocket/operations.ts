import {
  GraphQLError,
  OperationTypeNode,
  getOperationAST,
  type DocumentNode,
  type execute,
  type GraphQLSchema,
} from 'graphql';
import type { Principal } from '../auth/principal.ts';
import type { RateLimit } from '../limits/rate.ts';
import { secondsOf } from '../limits/refusal.ts';
import type { SubscriptionArgs } from './hub.ts';
import type { SocketContext, SocketExtra } from './socket.ts';
import type { Overload } from '../limits/overload.ts';
import { type SubscribePayload, CloseCode, MessageType, stringifyMessage } from 'graphql-ws';

/** Returns why an operation of a socket is refused, or null to accept it. */
export type AuthorizeOperation = (
  context: SocketContext,
  principal: Principal,
) => Promise<GraphQLError | null>;

interface AuthorizeOperationOptions {
  /** Operations that may run on one socket at a time. */
  readonly maxSubscriptions: number;
  /** Bytes that the messages which started them may have together. */
  readonly maxHeldBytes: number;
  /** The limit that HTTP requests of the same owner share. */
  readonly requestsPerOwner: RateLimit;
}

export function createAuthorizeOperation(options: AuthorizeOperationOptions): AuthorizeOperation {
  const { maxHeldBytes, maxSubscriptions, requestsPerOwner } = options;
  return async ({ extra, subscriptions }, { owner }) => {
    extra.operations += 1;
    const waitMs = extra.takeOperation();
    if (waitMs > 0) return tooFast('Too many operations on this socket.', waitMs);
    // `subscriptions` contains the new one.
    if (Object.keys(subscriptions).length > maxSubscriptions) return tooMany(maxSubscriptions);
    if (extra.heldBytes > maxHeldBytes) return tooLarge(maxHeldBytes);
    const ownerWaitMs = await requestsPerOwner(owner);
    return ownerWaitMs === null ? null : tooFast('Too many requests.', ownerWaitMs);
  };
}

function tooFast(message: string, waitMs: number): GraphQLError {
  const retryAfter = secondsOf(waitMs);
  const hint = `Try again in ${retryAfter} s.`;
  return new GraphQLError(message, { extensions: { code: 'RATE_LIMITED', hint, retryAfter } });
}

const HINT = 'Complete some first, follow all tasks with one tasksUpdated, or open another socket.';

function tooMany(maxSubscriptions: number): GraphQLError {
  return new GraphQLError(`More than ${maxSubscriptions} operations at a time on this socket.`, {
    extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', hint: HINT },
  });
}

function tooLarge(maxHeldBytes: number): GraphQLError {
  return new GraphQLError(
    `The operations of this socket have more than ${Math.floor(maxHeldBytes / 1024)} KiB of text and variables together.`,
    { extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', hint: HINT } },
  );
}

/** Returns why an operation is refused under overload, or null to accept it. */
export type RefuseOverload = (operation: OperationTypeNode) => GraphQLError | null;

/**
 * Subscriptions are always accepted: clients retry them only together with their socket, and one more on an open socket costs
 * little.
 */
export function createRefuseOverload(overload: Overload): RefuseOverload {
  return (operation) => {
    if (operation === OperationTypeNode.SUBSCRIPTION) return null;
    const refusal = overload.refusal();
    if (!refusal) return null;
    const { code, hint, message, retryAfter } = refusal;
    return new GraphQLError(message, { extensions: { code, hint, retryAfter } });
  };
}

/** What executes operations, as for HTTP. */
export interface Engine {
  readonly schema: GraphQLSchema;
  readonly documents: {
    parse(source: string): DocumentNode;
    validate(document: DocumentNode): readonly GraphQLError[];
  };
  readonly context: (principal: Principal, reqId: string) => unknown;
  readonly executed: typeof execute;
  readonly maskError: (error: unknown) => GraphQLError;
}

/** Parses and validates an operation. Returns the arguments of its execution, or the errors that end it. */
export function beginOperation(
  { context, documents, schema }: Engine,
  { operationName: name, query, variables }: SubscribePayload,
  refuseOverload: RefuseOverload,
  {
    principal,
    reqId,
    id,
    sendBuffer,
  }: { principal: Principal; id: string } & Pick<SocketExtra, 'reqId' | 'sendBuffer'>,
): SubscriptionArgs | readonly GraphQLError[] {
  // As over HTTP, an empty name means none.
  const operationName = name === '' ? null : (name ?? null);
  try {
    const document = documents.parse(query);
    const node = getOperationAST(document, operationName);
    const refusal = node && refuseOverload(node.operation);
    if (refusal) return [refusal];
    const errors = documents.validate(document);
    if (errors.length > 0) return errors;
    if (!node) return [unknownOperation()];
    const contextValue = context(principal, reqId);
    return { id, sendBuffer, schema, document, contextValue, operationName, variableValues: variables ?? {} };
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

function unknownOperation(): GraphQLError {
  const extensions = { code: 'OPERATION_RESOLUTION_FAILURE' };
  return new GraphQLError('Could not determine what operation to execute.', { extensions });
}

/** The operations of each socket, by id. */
interface RunningOperations {
  /**
   * Call it for each `subscribe` message. Returns errors if the id cannot be used; the operation is answered then, or its
   * socket closed.
   */
  begin(context: SocketContext, id: string): readonly GraphQLError[] | null;
  /** Called when the operation has ended or was refused. */
  end(context: SocketContext, id: string): void;
}

interface Running {
  readonly id: string;
  readonly bytes: number;
}

/** Each event of a subscription repeats its id. */
const MAX_ID_LENGTH = 128;

/**
 * graphql-ws forgets an operation at `complete`, while the operation may still be ending. The ending one would then complete
 * the next operation with the same id, and deliver events to it. So that next one is refused. `heldBytes` of the socket is
 * the sum over all running operations.
 */
export function createRunningOperations(): RunningOperations {
  const bySocket = new WeakMap<SocketContext, readonly Running[]>();
  return {
    begin(context, id) {
      const { extra } = context;
      if (id.length > MAX_ID_LENGTH) {
        extra.close(CloseCode.BadRequest, `The id of an operation has at most ${MAX_ID_LENGTH} characters`);
        return [new GraphQLError('The id is too long.')];
      }
      const running = bySocket.get(context) ?? [];
      if (running.some((other) => other.id === id)) return refuse(context, id);
      const bytes = extra.messageBytes;
      extra.heldBytes += bytes;
      // An array: most sockets have one operation, and a Map would be ten times as large.
      bySocket.set(context, [...running, { id, bytes }]);
      return null;
    },
    end(context, id) {
      const running = bySocket.get(context) ?? [];
      const ended = running.find((other) => other.id === id);
      if (!ended) return;
      context.extra.heldBytes -= ended.bytes;
      bySocket.set(
        context,
        running.filter((other) => other !== ended),
      );
    },
  };
}

function refuse({ extra, subscriptions }: SocketContext, id: string): readonly GraphQLError[] {
  Reflect.deleteProperty(subscriptions, id);
  const error = new GraphQLError(
    `The operation before with the id "${id}" is still ending. Use another id.`,
    {
      extensions: { code: 'BAD_USER_INPUT' },
    },
  );
  extra.sendBuffer.send(stringifyMessage({ id, type: MessageType.Error, payload: [error.toJSON()] }));
  return [error];
}
