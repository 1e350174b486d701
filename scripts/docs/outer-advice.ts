import type { CloseCode } from 'graphql-ws';
import type { EXIT } from '../../src/cli/exit.ts';

type Entry = readonly [meaning: string, todo: string];

/** Problem details (RFC 9457) of every address but `/graphql`, `/uploads` and `/webhooks/`, which have tables of their own. */
export const STATUS_ADVICE: Readonly<Record<number, Entry>> = {
  400: [
    'The URL or the request is malformed, or `Host` is not a valid host.',
    'Send HTTP/1.1, with one valid `Host` and valid percent-encoding.',
  ],
  401: ['At `/metrics`: the token is missing or wrong.', 'Send `Authorization: Bearer <METRICS_TOKEN>`.'],
  403: ['A web page of another origin opens a socket.', 'Name its origin in `ALLOWED_ORIGINS`.'],
  404: [
    'There is nothing at this URL; or `/metrics` without `METRICS_TOKEN` was requested from another machine or through a proxy.',
    'The API is at `/graphql`. For metrics set `METRICS_TOKEN`.',
  ],
  405: ['The URL takes another method.', 'See the header `Allow`.'],
  406: [
    'At `/graphql`: `Accept` names no media type of the response.',
    'Accept `application/graphql-response+json`, `application/json` or `text/event-stream`.',
  ],
  408: ['The request did not arrive whole in time.', 'Send it faster, or raise `REQUEST_TIMEOUT_MS`.'],
  410: ['At `/videos/`: the video is lost, or its copy was deleted.', 'See the code.'],
  413: ['The body is too large.', 'Send less, or raise `MAX_BODY_BYTES`; images go to `/uploads`.'],
  415: [
    'The `Content-Type` is not one that the URL takes, or the body is compressed.',
    'Send the `Content-Type` that `hint` names, without `Content-Encoding`.',
  ],
  416: [
    'At `/videos/`: the range lies beyond the end of the video.',
    'Ask for an earlier range; `Content-Range` has the size.',
  ],
  421: [
    'A gateway without keys on loopback was called by a foreign name (which may be a DNS rebinding attack).',
    'Call it by a loopback name or `PUBLIC_URL`; or configure keys or tokens, after which any name works.',
  ],
  426: [
    'The WebSocket handshake asks for a version that is not supported.',
    'Send `Sec-WebSocket-Version: 13`.',
  ],
  429: [
    'From this address: too many open sockets and streams, too many waiting requests, or too many wrong keys or tokens.',
    'Close some, or retry after `Retry-After`. A right key is accepted at once.',
  ],
  431: ['The address and the headers are too long.', 'Put a long operation into the body of a POST.'],
  500: ['A bug.', 'Report it, with what the log of the gateway says.'],
  502: [
    'At `/uploads`: the provider rejected the image.',
    'Try another image, or see the log of the gateway.',
  ],
  503: [
    'At `/ready`: the store cannot be read or written to, or the process is stopping. Elsewhere also: the gateway is overloaded.',
    'Send requests to another replica, or try again after `Retry-After`.',
  ],
};

const PROTOCOL: Entry = [
  'The client violates the protocol graphql-transport-ws.',
  'Use a client such as graphql-ws; report it when you do.',
];

/** Codes with which only clients of graphql-ws close. */
type OfClients =
  CloseCode.InternalClientError | CloseCode.BadResponse | CloseCode.ConnectionAcknowledgementTimeout;

/** Every code with which the gateway closes a WebSocket. */
export const CLOSE_ADVICE: Readonly<
  Record<1001 | 1008 | 1009 | 1012 | 1013 | `${Exclude<CloseCode, OfClients>}`, Entry>
> = {
  1001: ['The process stops.', 'Connect again at once, and subscribe with `after`: nothing is lost.'],
  1008: ['A message came in more fragments than one per KiB of `MAX_BODY_BYTES`.', 'Send larger fragments.'],
  1009: [
    'A message is larger than `MAX_BODY_BYTES`, or more than 16 KiB came before `connection_ack`.',
    'Send less.',
  ],
  1012: [
    'Another database has taken over, which may have lost the newest changes.',
    'Connect again after a short pause, and subscribe with `after`.',
  ],
  1013: [
    'The client read too slowly, its owner has too many sockets, too many wrong keys came from its address, the gateway is overloaded, or the issuer of tokens is unreachable: the reason says which.',
    'Connect again after a pause, and subscribe with `after`: nothing is lost.',
  ],
  4400: PROTOCOL,
  4401: ['An operation came before `connection_ack`.', 'Wait for it.'],
  4403: [
    'The key or token in the payload of `connection_init` is missing, unknown or has expired: the reason says which.',
    'Connect again with a valid one.',
  ],
  4406: ['Another subprotocol was asked for.', 'Ask for graphql-transport-ws.'],
  4408: ['No `connection_init` came in time.', 'Send it as soon as the socket is open.'],
  4409: ['Two running operations have the same id.', 'Give each an id of its own.'],
  4429: [
    '`connection_init` came twice, or the client sent far too many messages, pings or pongs.',
    'Send `connection_init` once, and fewer messages.',
  ],
  4500: ['A bug.', 'Connect again. Report it, with what the log of the gateway says.'],
};

/** With what the program ends. */
export const EXIT_ADVICE: Readonly<Record<keyof typeof EXIT, Entry>> = {
  ok: ['The command succeeded, or the gateway stopped in order after a signal.', 'Nothing.'],
  failed: [
    'A port, directory or database cannot be used, Node.js is too old, a stop was cut short, doctor found a failure, or models check found a model that was removed or changed.',
    'The last line on stderr says what is wrong and how to fix it.',
  ],
  usage: ['The command line is wrong.', '`kineograph --help`'],
  config: [
    'The environment is wrong, or the store has another schema version than this one needs.',
    'The report lists every mistake. For the schema version see docs/upgrading.md.',
  ],
};
