import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, MessageType } from 'graphql-ws';
import { WebSocket } from 'ws';
import { USER_AGENT } from '../../version.ts';
import { GRAPHQL_PATH } from '../../engine/yoga.ts';
import { explainFailure, findingsOf, type Finding, REQUEST_MS } from './findings.ts';
import type { FarEnd } from './check-callbacks.ts';

const { ok, warning } = findingsOf('WebSocket');

const FORBIDDEN: number = CloseCode.Forbidden;

type Greeting =
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Whether a socket through the public address comes to be greeted at the other end. No credentials are sent. */
export async function checkWebsocket(
  origin: string,
  farEnd: FarEnd,
  asksWhoCalls: boolean,
): Promise<Finding> {
  const url = origin.replace(/^http/, 'ws') + GRAPHQL_PATH;
  const greeting = await greet(url);
  const otherSettings = 'Was the gateway started with other settings? Restart it with these.';
  switch (greeting.kind) {
    case 'acknowledged':
      if (farEnd === 'gateway' && asksWhoCalls)
        return warning(`a socket to ${url} is accepted without credentials`, otherSettings);
      return ok(`a socket to ${url} is acknowledged`);
    case 'closed':
      if (greeting.code !== FORBIDDEN)
        return warning(
          `a socket to ${url} is closed with ${greeting.code} ${greeting.reason}`.trimEnd(),
          'docs/errors.md says what the code means.',
        );
      if (asksWhoCalls) return ok(`a socket to ${url} arrives, and is asked for credentials`);
      return warning(
        `a socket to ${url} is asked for credentials, and none are configured here`,
        otherSettings,
      );
    case 'refused':
      return warning(
        `your proxy does not pass WebSockets on: ${url} is answered with HTTP ${greeting.status}`,
        'Let it pass the headers Upgrade, Connection and Sec-WebSocket-Protocol on at /graphql. Where it passes /webhooks/ alone on purpose, this is fine.',
      );
    case 'failed':
      return warning(
        `your proxy does not pass WebSockets on: ${url}: ${explainFailure(greeting.error)}`,
        'Let it pass the headers Upgrade, Connection and Sec-WebSocket-Protocol on at /graphql, and keep the connection.',
      );
  }
}

function greet(url: string): Promise<Greeting> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, GRAPHQL_TRANSPORT_WS_PROTOCOL, {
      handshakeTimeout: REQUEST_MS,
      headers: { 'user-agent': USER_AGENT },
    });
    const timer = setTimeout(() => {
      end({ kind: 'failed', error: new Error('the socket opened, and nobody answered on it') });
    }, REQUEST_MS);
    function end(greeting: Greeting): void {
      clearTimeout(timer);
      resolve(greeting);
      socket.terminate();
    }
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: MessageType.ConnectionInit }));
    });
    socket.on('message', (data: Buffer) => {
      if (data.toString().includes(MessageType.ConnectionAck)) end({ kind: 'acknowledged' });
    });
    socket.on('unexpected-response', (_request, { statusCode = 0 }) => {
      end({ kind: 'refused', status: statusCode });
    });
    socket.on('error', (error) => {
      end({ kind: 'failed', error });
    });
    socket.on('close', (code, reason) => {
      end({ kind: 'closed', code, reason: reason.toString() });
    });
  });
}
