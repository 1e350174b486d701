import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestEnd, deferred, type Deferred } from './waits.ts';

/** One connection through the proxy. */
interface Link {
  readonly near: Socket;
  readonly far: Socket;
  /** The beginning of what the side that connected has said. */
  said: string;
  isHeld: boolean;
}

/** A network between a process and a server that can fail in the ways in which networks do. */
export interface TcpProxy {
  readonly port: number;
  /** Everything passes; what a black hole kept arrives late, as it does when a network comes back. */
  pass(): void;
  /** Destroys all connections, and every new one at once. */
  cut(): void;
  /** All connections stay and nothing passes, on new ones neither. */
  blackHole(): void;
  /** The same for the connections that are there now and on which this was said; others pass. Returns how many. */
  holdThoseThatSaid(text: string): number;
  /** Destroys those of them on which this was said. Returns how many. */
  cutThoseThatSaid(text: string): number;
  /** What passes does so this much later. */
  delay(ms: number): void;
  /** How many connections there are now. */
  size(): number;
}

type Mode = 'passing' | 'cut' | 'black hole';

/** How much of what is said is remembered. */
const BEGINNING = 4096;

/**
 * Starts a proxy in front of a port of this machine; it is closed at the end of the test. A target that is known only later
 * is asked for at each connection.
 */
export async function startTcpProxy(target: number | (() => number)): Promise<TcpProxy> {
  const links = new Set<Link>();
  let mode: Mode = 'passing';
  let lateness = 0;

  const server = createServer((near) => {
    near.on('error', () => undefined);
    if (mode === 'cut') near.resetAndDestroy();
    else open(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  function open(near: Socket): void {
    const far = connect(typeof target === 'number' ? target : target(), '127.0.0.1');
    const link: Link = { near, far, said: '', isHeld: false };
    links.add(link);
    near.on('data', (data) => {
      if (link.said.length < BEGINNING) link.said += data.toString('latin1');
    });
    join(link, near, far);
    join(link, far, near);
    if (mode === 'black hole') hold(link);
  }

  function join(link: Link, from: Socket, to: Socket): void {
    from.on('error', () => undefined);
    from.on('data', (data) => {
      if (lateness === 0) to.write(data);
      else setTimeout(() => to.write(data), lateness);
    });
    // A side that goes into a black hole is not missed by the other one.
    from.on('end', () => to.end());
    from.on('close', () => {
      links.delete(link);
      if (!link.isHeld) to.destroy();
    });
  }

  function destroy({ far, near }: Link): void {
    near.destroy();
    far.destroy();
  }

  function thoseThatSaid(text: string): readonly Link[] {
    return [...links].filter(({ said }) => said.includes(text));
  }

  onTestEnd(async () => {
    links.forEach(destroy);
    server.close();
    await once(server, 'close');
  });

  return {
    port: (server.address() as AddressInfo).port,
    pass() {
      mode = 'passing';
      lateness = 0;
      links.forEach(release);
    },
    cut() {
      mode = 'cut';
      links.forEach(destroy);
    },
    blackHole() {
      mode = 'black hole';
      links.forEach(hold);
    },
    holdThoseThatSaid(text) {
      const found = thoseThatSaid(text);
      found.forEach(hold);
      return found.length;
    },
    cutThoseThatSaid(text) {
      const found = thoseThatSaid(text);
      found.forEach(destroy);
      return found.length;
    },
    delay(ms) {
      lateness = ms;
    },
    size: () => links.size,
  };
}

function hold(link: Link): void {
  link.isHeld = true;
  link.near.pause();
  link.far.pause();
}

function release(link: Link): void {
  link.isHeld = false;
  link.near.resume();
  link.far.resume();
}

/** A way to a PostgreSQL server on which answers can be lost; closed at the end of the test. */
interface PostgresProxy {
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
