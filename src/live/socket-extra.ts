import type { Context as ProtocolContext } from 'graphql-ws';
import type { Caller } from '../auth/principal.ts';
import type { Outlet } from './outlet.ts';

/** What is known of one socket beside the protocol. */
export interface SocketExtra {
  /** Names the request that opened it in the log. */
  readonly reqId: string;
  /** Of the request that opened it; undefined once connection_init has come. */
  authorization: string | undefined;
  /** Where that came from, as it is counted. */
  readonly address: string;
  /** null until connection_init was accepted. */
  caller: Caller | null;
  /** How many operations came over it, refused ones included. */
  operations: number;
  /** Bytes of the message that is being handled. */
  messageBytes: number;
  /** Bytes of the messages that began the operations which run now: their text and variables are kept as long. */
  heldBytes: number;
  readonly outlet: Outlet;
  readonly close: (code: number, reason: string) => void;
  /** Calls `run` when the socket has closed; at once when it has. */
  readonly onClosed: (run: () => void) => void;
  /** Counts an operation; returns 0, or how many ms to wait when there were too many. */
  readonly takeOperation: () => number;
}

export type SocketContext = ProtocolContext<Record<string, unknown>, SocketExtra>;
