import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Tally } from '../limits/concurrency.ts';
import type { Arrival } from './graphql.ts';

/** When to come back, in seconds: streams end when their clients leave, so nobody knows. */
const RETRY_AFTER_S = 5;

/** Counts the streams of HTTP together with the sockets of the same owner and address, and refuses what is too many. */
export function limitStreams(perOwner: Tally, perAddress: Tally): Plugin<Arrival> {
  return {
    onSubscribe({ args, setResultAndStopExecution }) {
      const { connection, principal } = args.contextValue;
      // A socket was counted when it was opened, for all that comes over it.
      if (!connection) return;
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
