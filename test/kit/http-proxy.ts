import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { onTestEnd } from './waits.ts';
import { once } from 'node:events';

interface ForwardProxy {
  readonly url: string;
  /** Where it was asked to connect to, in order, with the credentials that were sent along. */
  readonly asked: readonly { readonly target: string; readonly authorization: string | undefined }[];
}

/** A proxy that connects (CONNECT) to wherever it is asked to, or answers with `status`; closed at the end of the test. */
export async function startProxy({ status = 200 } = {}): Promise<ForwardProxy> {
  const asked: { readonly target: string; readonly authorization: string | undefined }[] = [];
  const server = createServer((_request, response) => response.writeHead(501).end());
  server.on('connect', ({ headers, url: target = '' }, socket) => {
    asked.push({ target, authorization: headers['proxy-authorization'] });
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const [host, port] = target.split(':');
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
    onTestEnd(() => {
      onward.destroy();
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestEnd(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

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
