import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Listens on a free port of this machine, tells the benchmark, and ends with it. */
export function listen(server: Server): void {
  server.listen(0, '127.0.0.1', 4096, () => {
    tellPort((server.address() as AddressInfo).port);
  });
}

export function tellPort(port: number): void {
  process.once('disconnect', () => process.exit());
  process.send?.({ port });
}
