import type { Context as ProtocolContext } from 'graphql-ws';
import type { Principal } from '../auth/principal.ts';
import type { SendBuffer } from './send-buffer.ts';

/** State of one socket beside the protocol. */
export interface SocketExtra {
  /** Id of its upgrade request in the log. */
  readonly reqId: string;
  /** Header of the upgrade request; undefined after connection_init. */
  authorization: string | undefined;
  /** Address of the client, as limits count it. */
  readonly address: string;
  /** null until connection_init was accepted. */
  principal: Principal | null;
  /** Number of its operations, refused ones included. */
  operations: number;
  /** Size of the current message in bytes. */
  messageBytes: number;
  /** Bytes of the messages that started the running operations, whose text and variables stay in memory. */
  heldBytes: number;
  readonly sendBuffer: SendBuffer;
  readonly close: (code: number, reason: string) => void;
  /** Calls `run` when the socket is closed; at once if it is. */
  readonly onClosed: (run: () => void) => void;
  /** Counts an operation. Returns 0, or the ms to wait if there were too many. */
  readonly takeOperation: () => number;
}

export type SocketContext = ProtocolContext<Record<string, unknown>, SocketExtra>;

/** RFC 6455: "going away". graphql-ws clients reconnect after it. */
export const GOING_AWAY = 1001;
/** RFC 6455: "the message is too big to process". graphql-ws clients give up after it. */
export const MESSAGE_TOO_BIG = 1009;
/** "Service restart", in IANA's registry. graphql-ws clients reconnect after it. */
export const SERVICE_RESTART = 1012;
/** "Try again later", in IANA's registry. graphql-ws clients reconnect after it. */
export const TRY_AGAIN_LATER = 1013;

/** RFC 6455, 5.5: room in a close frame beside the code. ws throws for a longer reason. */
const MAX_REASON_BYTES = 123;

/** Cuts a reason to the size of a close frame, in visible ASCII. */
export function closeReason(text: string): string {
  return text.slice(0, MAX_REASON_BYTES).replace(/[^\x20-\x7e]/g, '?');
}

/** Counters of the WebSocket transport, for metrics. */
export interface LiveCounts {
  /** Groups of subscriptions that exist now. */
  groups: number;
  /** Events that were written to sockets. */
  deliveries: number;
  /** Times that a subscription paused because its socket was full. */
  rests: number;
  /** Sockets that were closed because their client read too slowly. */
  slowCloses: number;
}

export function createLiveCounts(): LiveCounts {
  return { groups: 0, deliveries: 0, rests: 0, slowCloses: 0 };
}
