import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How long a close waits for requests under way, in ms. */
const PATIENCE_MS = 2000;

/**
 * Closing waits for requests under way, but not until the clients that sent them let go of their connections, nor for
 * those that do not read their answers.
 */
export function closeWithoutWaiting(app: FastifyInstance): void {
  const underWay = new Set<ServerResponse>();
  const connections = new Set<Socket>();
  let isClosing = false;
  app.server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });
  app.server.on('request', (_request, response: ServerResponse) => {
    underWay.add(response);
    response.once('close', () => {
      underWay.delete(response);
      if (isClosing) app.server.closeIdleConnections();
    });
  });
  app.addHook('preClose', (done) => {
    isClosing = true;
    // Those with headers still to come tell their client that the connection ends.
    for (const response of underWay) if (!response.headersSent) response.shouldKeepAlive = false;
    // Browsers connect ahead of need; to Node such a connection is not idle but about to send its first request.
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
    // Also those that were answered early and whose request is still coming.
    setTimeout(() => {
      app.server.closeAllConnections();
    }, PATIENCE_MS).unref();
    done();
  });
}
