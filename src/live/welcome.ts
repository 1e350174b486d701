import type { FastifyBaseLogger } from 'fastify';
import {
  HOW_TO_SEND,
  IssuerUnavailableError,
  TooManyWrongCredentialsError,
  UnauthenticatedError,
  type Authenticate,
  type Caller,
  atExpiry,
} from '../auth/principal.ts';
import { authorizationIn } from '../auth/authenticate.ts';
import { TRY_AGAIN_LATER } from './close-codes.ts';
import type { SocketExtra } from './socket-extra.ts';
import type { Tally } from '../limits/concurrency.ts';

/** Decides on a socket's connection_init: true lets it in, false closes it with 4403. Never rejects. */
export type Welcome = (
  connectionParams: Readonly<Record<string, unknown>> | undefined,
  extra: SocketExtra,
) => Promise<boolean>;

/** Forbidden, as graphql-ws closes refused sockets; its clients come back, with a new token if they have one. */
const FORBIDDEN = 4403;
/** The reason of a close has at most 123 bytes. */
const HOW_TO_SEND_HERE = 'Send {"authorization":"Bearer <key>"} in connection_init.';

export function createWelcome(options: {
  readonly authenticate: Authenticate;
  /** Open sockets and streams of each owner. */
  readonly perOwner: Tally;
  readonly log: FastifyBaseLogger;
}): Welcome {
  const { authenticate, log, perOwner } = options;

  return async (connectionParams, extra) => {
    // Browsers can send no header with a socket. Some clients put their headers into the payload.
    const authorization =
      authorizationIn(connectionParams) ??
      authorizationIn(connectionParams?.['headers']) ??
      extra.authorization;
    extra.authorization = undefined;
    const caller = await identify(authorization, extra);
    if (!caller) return false;
    if (!perOwner.add(caller.owner)) {
      extra.close(TRY_AGAIN_LATER, 'Too many sockets of this owner');
      return false;
    }
    const stop = atExpiry(caller, () => {
      extra.close(FORBIDDEN, 'The token has expired');
    });
    extra.onClosed(() => {
      perOwner.remove(caller.owner);
      stop();
    });
    extra.caller = caller;
    log.info({ reqId: extra.reqId, owner: caller.owner }, 'socket opened');
    return true;
  };

  async function identify(authorization: string | undefined, extra: SocketExtra): Promise<Caller | null> {
    try {
      return await authenticate(authorization, extra.address);
    } catch (error) {
      if (error instanceof UnauthenticatedError) {
        extra.close(
          FORBIDDEN,
          `${error.message} ${error.hint === HOW_TO_SEND ? HOW_TO_SEND_HERE : error.hint}`,
        );
        return null;
      }
      if (error instanceof TooManyWrongCredentialsError) {
        extra.close(TRY_AGAIN_LATER, error.message);
        return null;
      }
      if (!(error instanceof IssuerUnavailableError))
        log.error({ err: error }, 'who opened a socket could not be checked');
      extra.close(TRY_AGAIN_LATER, 'Try again later');
      return null;
    }
  }
}
