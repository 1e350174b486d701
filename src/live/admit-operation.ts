import { GraphQLError } from 'graphql';
import type { Caller } from '../auth/principal.ts';
import type { RateLimit } from '../limits/rate.ts';
import type { SocketContext } from './socket-extra.ts';

/** Decides on each operation of a socket: null, or why not. */
export type AdmitOperation = (context: SocketContext, caller: Caller) => Promise<GraphQLError | null>;

export interface OperationAdmissionOptions {
  /** How many operations may run on one socket at a time. */
  readonly maxSubscriptions: number;
  /** How many bytes the messages that began them may have together. */
  readonly maxHeldBytes: number;
  /** The limit that HTTP requests of the same owner count for as well. */
  readonly requestsPerOwner: RateLimit;
}

export function createAdmitOperation(options: OperationAdmissionOptions): AdmitOperation {
  const { maxHeldBytes, maxSubscriptions, requestsPerOwner } = options;
  return async ({ extra, subscriptions }, { owner }) => {
    extra.operations += 1;
    const waitMs = extra.takeOperation();
    if (waitMs > 0) return tooFast('Too many operations on this socket.', waitMs);
    // The new one is counted already.
    if (Object.keys(subscriptions).length > maxSubscriptions) return tooMany(maxSubscriptions);
    if (extra.heldBytes > maxHeldBytes) return tooLarge(maxHeldBytes);
    const ownerWaitMs = await requestsPerOwner(owner);
    return ownerWaitMs === null ? null : tooFast('Too many requests.', ownerWaitMs);
  };
}

function tooFast(message: string, waitMs: number): GraphQLError {
  const retryAfter = Math.max(1, Math.ceil(waitMs / 1000));
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
