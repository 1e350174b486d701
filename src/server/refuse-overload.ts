import type { IncomingMessage, ServerResponse } from 'node:http';
import { refusalHeaders, refusalJson } from './admission.ts';
import type { Forwarded } from './forwarded.ts';
import type { IsMutation } from './is-mutation.ts';
import type { Overload } from './overload.ts';
import type { SendJson } from './send-json.ts';

export interface RefuseOverloadOptions {
  readonly overload: Overload;
  readonly isMutation: IsMutation;
  readonly forwarded: Forwarded;
  readonly sendJson: SendJson;
}

/**
 * Answers an operation that is not begun now, before it is known who sent it: that takes time as well. Returns whether it
 * did. Event streams are begun by queries as far as this goes: their clients send them again.
 */
export function createRefuseOverload({ forwarded, isMutation, overload, sendJson }: RefuseOverloadOptions) {
  return (request: IncomingMessage, response: ServerResponse, body: unknown): boolean => {
    // Those that only ask what they may do, and those that are refused anyway, take no time.
    if (request.method !== 'POST' && request.method !== 'GET') return false;
    const refusal = overload.refusal(() => isMutation(body));
    if (!refusal) return false;
    sendJson(response, {
      status: refusal.status,
      json: refusalJson(refusal),
      mediaType: 'application/json',
      headers: refusalHeaders(refusal),
      origin: request.headers.origin,
      host: forwarded.siteOf(request),
    });
    return true;
  };
}
