import type { BaseLogger } from 'pino';
import { CloseCode } from 'graphql-ws';
import {
  HOW_TO_SEND,
  IssuerUnavailableError,
  TooManyWrongCredentialsError,
  UnauthenticatedError,
  type Authenticate,
  type Principal,
  atExpiry,
} from '../auth/principal.ts';
import { authorizationIn } from '../auth/authenticate.ts';
import { TRY_AGAIN_LATER, type SocketExtra, MESSAGE_TOO_BIG } from './socket.ts';
import type { ConcurrencyLimit } from '../limits/concurrency.ts';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Decides on a socket's connection_init: true accepts it, false closes it with 4403. Never rejects. */
export type OnConnect = (
  connectionParams: Readonly<Record<string, unknown>> | undefined,
  extra: SocketExtra,
) => Promise<boolean>;

/** "Forbidden" in graphql-ws. Its clients reconnect after it, with a new token if they have one. */
const FORBIDDEN = 4403;
/** The reason of a close has at most 123 bytes. */
const HOW_TO_SEND_HERE = 'Send {"authorization":"Bearer <key>"} in connection_init.';

export function createOnConnect(options: {
  readonly authenticate: Authenticate;
  /** Open sockets and streams of each owner. */
  readonly perOwner: ConcurrencyLimit;
  readonly log: BaseLogger;
}): OnConnect {
  const { authenticate, log, perOwner } = options;

  return async (connectionParams, extra) => {
    // Browsers cannot send headers with a WebSocket. Some clients put their headers into the payload.
    const authorization =
      authorizationIn(connectionParams) ??
      authorizationIn(connectionParams?.['headers']) ??
      extra.authorization;
    extra.authorization = undefined;
    const principal = await identify(authorization, extra);
    if (!principal) return false;
    if (!perOwner.add(principal.owner)) {
      extra.close(TRY_AGAIN_LATER, 'Too many sockets of this owner');
      return false;
    }
    const stop = atExpiry(principal, () => {
      extra.close(FORBIDDEN, 'The token has expired');
    });
    extra.onClosed(() => {
      perOwner.remove(principal.owner);
      stop();
    });
    extra.principal = principal;
    log.info({ reqId: extra.reqId, owner: principal.owner }, 'socket opened');
    return true;
  };

  async function identify(authorization: string | undefined, extra: SocketExtra): Promise<Principal | null> {
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
        log.error({ err: error }, 'authenticating a socket failed');
      extra.close(TRY_AGAIN_LATER, 'Try again later');
      return null;
    }
  }
}

/** Bytes before connection_init is accepted. A JSON Web Token fits: HTTP headers have the same limit in Node.js. */
const MAX_BYTES = 16 * 1024;
/** Messages before that. A client needs one; some also send a ping or two. */
const MAX_MESSAGES = 8;
/** Reads from the connection before that. Each read costs an object, however few bytes it has. */
const MAX_READS = 64;

/**
 * Cuts a socket that sends more than a connection_init needs before `isAuthenticated` returns true. ws has one limit for all
 * messages, and counts neither pings nor unfinished messages. Returns a function that counts a message.
 */
export function limitBeforeInit(
  socket: WebSocket,
  stream: Duplex,
  isAuthenticated: () => boolean,
): () => void {
  let messages = 0;
  let bytes = 0;
  let reads = 0;
  const onData = (chunk: Buffer): void => {
    if (isAuthenticated()) {
      stream.off('data', onData);
      return;
    }
    bytes += chunk.length;
    reads += 1;
    if (bytes > MAX_BYTES || reads > MAX_READS)
      cut(MESSAGE_TOO_BIG, `More than ${MAX_BYTES / 1024} KiB before connection_ack`);
  };
  const cut = (code: number, reason: string): void => {
    stream.off('data', onData);
    socket.close(code, reason);
    socket.terminate();
  };
  stream.on('data', onData);
  return () => {
    if (isAuthenticated()) return;
    messages += 1;
    if (messages > MAX_MESSAGES)
      cut(
        CloseCode.TooManyInitialisationRequests,
        `More than ${MAX_MESSAGES} messages before connection_ack`,
      );
  };
}
