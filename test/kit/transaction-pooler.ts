import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestEnd } from './waits.ts';

/** From the protocol: what begins the message with the process id, and the one that says that a session is idle. */
const KEY_DATA = Buffer.from('K\0\0\0\x0c', 'latin1');
const IDLE = Buffer.from('Z\0\0\0\x05I', 'latin1');
const BEGIN = Buffer.from('begin\0');

interface Link {
  readonly client: Socket;
  /** The session that answers it for now. */
  session: Socket;
  isIdle: boolean;
}

/**
 * A pooler in transaction mode in front of a PostgreSQL server: it tells clients a process id of its own, and a transaction
 * gets the session that an idle client had. Returns its address; closed at the end of the test.
 */
export async function startTransactionPooler(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const links = new Set<Link>();

  function open(client: Socket): void {
    const session = connect(Number(port), hostname);
    const link: Link = { client, session, isIdle: false };
    links.add(link);
    client
      .on('error', () => undefined)
      .on('close', () => {
        links.delete(link);
        link.session.destroy();
      });
    client.on('data', (data: Buffer) => {
      link.isIdle = false;
      const other = data.includes(BEGIN) ? [...links].find(({ isIdle }) => isIdle) : undefined;
      if (other) [link.session, other.session] = [other.session, link.session];
      link.session.write(data);
    });
    session
      .on('error', () => undefined)
      .on('data', (data: Buffer) => {
        const reader = [...links].find((one) => one.session === session);
        if (!reader) return;
        reader.isIdle = data.subarray(-IDLE.length).equals(IDLE);
        const at = data.indexOf(KEY_DATA);
        if (at >= 0) data.writeInt32BE(1, at + KEY_DATA.length);
        reader.client.write(data);
      });
  }

  const server = createServer(open).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestEnd(async () => {
    for (const { client, session } of links) for (const socket of [client, session]) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = new URL(url);
  address.port = String((server.address() as AddressInfo).port);
  return address.href;
}
