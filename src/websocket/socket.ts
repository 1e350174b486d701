import type { Context as ProtocolContext } from 'graphql-ws';
import type { Principal } from '../auth/principal.ts';
import type { SendBuffer } from './send-buffer.ts';

/** What is known of one socket beside the protocol. */
export interface SocketExtra {
  /** Names the request that opened it in the log. */
  readonly reqId: string;
  /** Of the request that opened it; undefined once connection_init has come. */
  authorization: string | undefined;
  /** Where that came from, as it is counted. */
  readonly address: string;
  /** null until connection_init was accepted. */
  principal: Principal | null;
  /** How many operations came over it, refused ones included. */
  operations: number;
  /** Bytes of the message that is being handled. */
  messageBytes: number;
  /** Bytes of the messages that began the operations which run now: their text and variables are kept as long. */
  heldBytes: number;
  readonly outlet: SendBuffer;
  readonly close: (code: number, reason: string) => void;
  /** Calls `run` when the socket has closed; at once when it has. */
  readonly onClosed: (run: () => void) => void;
  /** Counts an operation; returns 0, or how many ms to wait when there were too many. */
  readonly takeOperation: () => number;
}

export type SocketContext = ProtocolContext<Record<string, unknown>, SocketExtra>;

/** RFC 6455: "going away". graphql-ws clients come back after it. */
export const GOING_AWAY = 1001;
/** RFC 6455: "the message is too big to process". graphql-ws clients give up after it. */
export const MESSAGE_TOO_BIG = 1009;
/** "Service restart", in IANA's registry. graphql-ws clients come back after it. */
export const SERVICE_RESTART = 1012;
/** "Try again later", in IANA's registry. graphql-ws clients come back after it. */
export const TRY_AGAIN_LATER = 1013;

/** RFC 6455, 5.5: what a close frame holds besides its code. ws throws when a reason is longer. */
const MAX_REASON_BYTES = 123;

/** A reason that fits into a close frame: visible ASCII, cut where it is too long. */
export function closeReason(text: string): string {
  return text.slice(0, MAX_REASON_BYTES).replace(/[^\x20-\x7e]/g, '?');
}

/** What goes on behind the socket door; counted where it happens, and read by whoever wants to know. */
export interface LiveCounts {
  /** Groups of subscriptions that there are now. */
  groups: number;
  /** Events that were written to sockets. */
  deliveries: number;
  /** Times that a subscription had to rest because its socket was full. */
  rests: number;
  /** Sockets that were closed because their client took nothing. */
  slowCloses: number;
}

export function createLiveCounts(): LiveCounts {
  return { groups: 0, deliveries: 0, rests: 0, slowCloses: 0 };
}
