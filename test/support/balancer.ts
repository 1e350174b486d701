import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestEnd } from './leftovers.ts';

/** Passes every request on to an origin that `pick` names, as a load balancer does; 502 when that one is not there. */
export async function startBalancer(pick: () => string): Promise<{ readonly url: string }> {
  const server = createServer((request, response) => {
    passOn(request, pick()).then(
      ({ body, headers, status }) => response.writeHead(status, headers).end(body),
      () => response.writeHead(502).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const PASSED = ['content-type', 'x-webhook-timestamp', 'x-webhook-signature'];

async function passOn(request: IncomingMessage, origin: string) {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { headers, method = 'POST', url = '/' } = request;
  const passed = PASSED.map((name): [string, string] => [name, String(headers[name] ?? '')]);
  const response = await fetch(origin + url, { method, headers: passed, body: Buffer.concat(chunks) });
  const retryAfter = response.headers.get('retry-after');
  return {
    status: response.status,
    headers: {
      'content-type': response.headers.get('content-type') ?? 'text/plain',
      ...(retryAfter !== null && { 'retry-after': retryAfter }),
    },
    body: Buffer.from(await response.arrayBuffer()),
  };
}
