import { GraphQLError, OperationTypeNode } from 'graphql';
import type { Overload } from '../limits/overload.ts';

/** Why an operation of a socket is not begun now; null when it is. */
export type PutOff = (operation: OperationTypeNode) => GraphQLError | null;

/**
 * Subscriptions are always begun: an error would end them for good, since clients bring back subscriptions only together
 * with their socket, and one more on a socket that is there costs little.
 */
export function createPutOff(overload: Overload): PutOff {
  return (operation) => {
    if (operation === OperationTypeNode.SUBSCRIPTION) return null;
    const refusal = overload.refusal();
    if (!refusal) return null;
    const { code, message, retryAfterS: retryAfter } = refusal;
    const hint = `Try again in ${retryAfter ?? 1} s.`;
    return new GraphQLError(message, { extensions: { code, hint, retryAfter } });
  };
}
