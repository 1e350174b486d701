import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { SendBuffer } from '../../src/websocket/send-buffer.ts';
import { onTestEnd } from '../kit/waits.ts';

/** An outlet and its client, over a real connection. */
export async function startPair() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [[served, request]] = (await Promise.all([once(server, 'connection'), once(client, 'open')])) as [
    [WebSocket, IncomingMessage],
    [],
  ];
  onTestEnd(() => {
    client.terminate();
    served.terminate();
    server.close();
  });
  return { client, outlet: new SendBuffer(served, request.socket), served };
}
