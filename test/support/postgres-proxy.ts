import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { deferred, type Deferred } from './deferred.ts';
import { onTestEnd } from './leftovers.ts';

/** A way to a PostgreSQL server on which answers can be lost; closed at the end of the test. */
export interface PostgresProxy {
  /** The same database, by way of this proxy. */
  readonly url: string;
  /**
   * The next COMMIT reaches the server and is answered, and then its connection is cut instead. Resolves when that has
   * happened.
   */
  loseNextCommit(): Promise<void>;
  /** The same for a COMMIT that never reaches the server. */
  dropNextCommit(): Promise<void>;
}

/** As it stands in the protocol, https://www.postgresql.org/docs/current/protocol-message-formats.html */
const COMMIT = Buffer.from('commit\0');

export async function startPostgresProxy(url: string): Promise<PostgresProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let armed: { readonly isAnswered: boolean; readonly happened: Deferred<void> } | null = null;

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let lost: Deferred<void> | null = null;
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut).on('close', () => {
        sockets.delete(socket);
        cut();
      });
    }
    client.on('data', (data: Buffer) => {
      if (armed && data.includes(COMMIT)) {
        const { happened, isAnswered } = armed;
        armed = null;
        if (isAnswered) lost = happened;
        else {
          cut();
          happened.resolve();
          return;
        }
      }
      upstream.write(data);
    });
    upstream.on('data', (data: Buffer) => {
      if (!lost) return void client.write(data);
      cut();
      lost.resolve();
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  function arm(isAnswered: boolean): Promise<void> {
    const happened = deferred('a COMMIT that is lost');
    armed = { isAnswered, happened };
    return happened.promise;
  }

  const address = new URL(url);
  address.hostname = '127.0.0.1';
  address.port = String((server.address() as AddressInfo).port);
  return { url: address.href, loseNextCommit: () => arm(true), dropNextCommit: () => arm(false) };
}
