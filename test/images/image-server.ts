import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { onTestEnd } from '../kit/waits.ts';

export interface ImageServer {
  readonly port: number;
  /** How many connections were made to it. */
  connections(): number;
  /** The headers of each request, in order. */
  readonly asked: readonly Readonly<Record<string, unknown>>[];
}

/** A web server on an address of this machine, closed at the end of the test. */
export async function startImageServer(answer: RequestListener, address = '127.0.0.1'): Promise<ImageServer> {
  let connections = 0;
  const asked: Readonly<Record<string, unknown>>[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers);
    answer(request, response);
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  onTestEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, asked, connections: () => connections };
}

/** A resolver that knows some names, each with the addresses of its next lookups; the last ones stay. */
export function createResolver(names: Readonly<Record<string, readonly (readonly string[])[]>>) {
  const asked: string[] = [];
  const lookup: LookupFunction = (hostname, _options, callback) => {
    const answers = names[hostname] ?? [];
    const found = answers[asked.filter((name) => name === hostname).length] ?? answers.at(-1);
    asked.push(hostname);
    if (!found) callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '');
    else
      callback(
        null,
        found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
  };
  return { lookup, asked };
}
