import type { GraphqlErrorBody } from '../kit/graphql.ts';
import { httpPost, sse, webSocket, type Door, type Told } from '../attacks/doors.ts';
import type { GraphqlOperation } from '../kit/graphql.ts';

/** Two owners; `bearer` is how each says who it is. */
export const API_KEYS = 'ann:the-key-of-ann,bob:the-key-of-bob';
export type Owner = 'ann' | 'bob';

export function bearer(owner: Owner): { readonly authorization: string } {
  return { authorization: `Bearer the-key-of-${owner}` };
}

/** A way in for one operation, and back for its first result. */
interface AskDoor {
  readonly name: string;
  ask(url: string, operation: GraphqlOperation<unknown>, owner?: Owner): Promise<Told>;
}

const asking = ({ name, send }: Door): AskDoor => ({
  name,
  ask: (url, operation, owner) => send(url, operation, owner && bearer(owner)),
});

export const http = asking(httpPost);

/** What is promised of operations is promised over all three. */
export const ASK_DOORS: readonly AskDoor[] = [http, asking(sse), asking(webSocket)];

/** What came back must be one refusal; over HTTP the status and the header say the same as the error. */
export function refusalOf({ errors, headers, status }: Told): object {
  const [error, ...others] = errors as GraphqlErrorBody[];
  if (error === undefined || others.length > 0) throw new Error(`Not one error: ${JSON.stringify(errors)}`);
  return { status, retryAfter: headers.get('retry-after'), extensions: error.extensions };
}

/** The refusal of a limit of the client's, in the form of `refusalOf`. */
export function tooFast({ name }: AskDoor, seconds: number): object {
  const isSocket = name === 'WebSocket';
  return {
    status: isSocket ? null : 429,
    retryAfter: isSocket ? null : String(seconds),
    extensions: { code: 'RATE_LIMITED', hint: `Try again in ${seconds} s.`, retryAfter: seconds },
  };
}
