import type { ServerResponse } from 'node:http';
import type { OriginPolicy } from './origin-policy.ts';

export interface JsonAnswer {
  readonly status: number;
  /** As text. */
  readonly json: string;
  readonly mediaType: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The request's. */
  readonly origin: string | undefined;
  readonly host: string | undefined;
}

/** Sends an answer of `/graphql` as the engine would: pages of origins that may call can read it. */
export type SendJson = (response: ServerResponse, answer: JsonAnswer) => void;

export function createSendJson(mayCall: OriginPolicy): SendJson {
  return (response, { headers = {}, host, json, mediaType, origin, status }) => {
    if (response.closed || response.destroyed) return;
    const isReadable = origin !== undefined && mayCall(origin, host);
    response.writeHead(status, {
      ...headers,
      'content-type': `${mediaType}; charset=utf-8`,
      ...(isReadable && { 'access-control-allow-origin': origin }),
      'content-length': Buffer.byteLength(json),
      vary: 'Origin',
    });
    response.end(json);
  };
}
