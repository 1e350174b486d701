import type { RawData } from 'ws';

/** A message of the graphql-transport-ws protocol. */
export interface GraphqlWsMessage {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

export interface WsClose {
  readonly code: number;
  readonly reason: string;
}

/** The socket was closed where the test waited for something else. */
export class GraphqlWsClosedError extends Error {
  readonly code: number;
  readonly reason: string;

  constructor({ code, reason }: WsClose) {
    super(`The socket was closed with ${code} ${JSON.stringify(reason)}`);
    this.name = 'GraphqlWsClosedError';
    this.code = code;
    this.reason = reason;
  }
}

/** Throws when the text is no JSON. */
export function parseMessage(data: RawData): GraphqlWsMessage {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer);
  return JSON.parse(bytes.toString()) as GraphqlWsMessage;
}
