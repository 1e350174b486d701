import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Outlet } from '../../src/live/outlet.ts';
import { onTestEnd } from '../support/leftovers.ts';
import { eventually } from './eventually.ts';

test('an outlet whose client has not taken everything says so, until it has', async () => {
  const { client, outlet, served } = await startPair();
  const isBehind = (): boolean => {
    outlet.hold();
    const { isBehind: is } = outlet;
    outlet.release();
    return is;
  };
  expect(isBehind()).toBe(false);
  client.pause();
  // More than the buffers of two sockets take.
  for (let count = 0; count < 256; count += 1) outlet.send('x'.repeat(64 * 1024));
  expect(isBehind()).toBe(true);
  client.resume();
  await eventually('all is taken', () => served.bufferedAmount === 0);
  expect(isBehind()).toBe(false);
});

test('what an outlet sends is text, also when it is given as bytes', async () => {
  const { client, outlet } = await startPair();
  outlet.send('a');
  outlet.send(Buffer.from('雪'));
  const messages: unknown[] = [];
  client.on('message', (data: Buffer, isBinary) => messages.push([data.toString(), isBinary]));
  await eventually('both have come', () => messages.length === 2);
  expect(messages).toEqual([
    ['a', false],
    ['雪', false],
  ]);
});

/** An outlet and its client, over a real connection. */
async function startPair() {
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
  return { client, outlet: new Outlet(served, request.socket), served };
}
