import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestEnd } from './leftovers.ts';

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
