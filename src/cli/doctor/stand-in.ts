import { GRAPHQL_TRANSPORT_WS_PROTOCOL, MessageType, handleProtocols } from 'graphql-ws';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { problem, sendProblem } from '../../http/problem.ts';
import { GRAPHQL_PATH } from '../../engine/yoga.ts';
import { WEBHOOKS_PATH } from '../../webhooks/route.ts';

/** Listens in place of a gateway that does not run, so that the road to it can be tried. */
export interface StandIn {
  /** What is posted there is answered with `proof`, which nobody else knows. */
  readonly path: string;
  readonly proof: string;
  close(): Promise<void>;
}

const ABSENT = problem(503, 'No gateway runs here; kineograph doctor tries the road to it.', {
  hint: 'Try again when it was started.',
});

/** Rejects when the port cannot be had. */
export async function openStandIn(host: string, port: number): Promise<StandIn> {
  const path = `${WEBHOOKS_PATH}kie/doctor/${randomUUID()}`;
  const proof = randomUUID();
  const server = createServer((request, response) => {
    if (request.method === 'POST' && request.url === path) response.end(proof);
    else sendProblem(response, ABSENT, { 'retry-after': '5' });
  });
  const sockets = new WebSocketServer({ noServer: true, handleProtocols });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    if (
      request.url === GRAPHQL_PATH &&
      request.headers['sec-websocket-protocol'] === GRAPHQL_TRANSPORT_WS_PROTOCOL
    )
      sockets.handleUpgrade(request, stream, head, (socket) => {
        socket.on('error', () => undefined);
        socket.once('message', () => {
          socket.send(JSON.stringify({ type: MessageType.ConnectionAck }));
        });
      });
    else stream.destroy();
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    path,
    proof,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
