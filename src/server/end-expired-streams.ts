import type { Plugin } from 'graphql-yoga';
import { atExpiry } from '../auth/principal.ts';
import type { Arrival } from './graphql.ts';

/** Ends each subscription over HTTP when its caller's token does; queries and mutations are answered all the same. */
export const endExpiredStreams: Plugin<Arrival> = {
  onSubscribe({ args }) {
    const { connection, principal } = args.contextValue;
    // A socket is closed for itself, with all that comes over it.
    if (connection) connection.onClosed(atExpiry(principal, connection.endStream));
  },
};
