import { connect, type Socket } from 'node:net';
import { createFrameReader, pongFrame, textFrame } from './frames.ts';
import { createUpgradeReader, upgradeRequest } from './upgrade.ts';

export interface LiveSocketOptions {
  readonly port: number;
  /** Sent with connection_init. */
  readonly init: unknown;
  /** Every message after connection_ack. */
  readonly onMessage: (buffer: Buffer, start: number, end: number) => void;
  /** The connection ended, by whatever side; not called after `end`. */
  readonly onEnd: (reason: string) => void;
}

/** A socket that speaks graphql-transport-ws and has been acknowledged. */
export interface LiveSocket {
  send(message: unknown): void;
  /** Stops reading; `resume` goes on. */
  pause(): void;
  resume(): void;
  end(): void;
}

/**
 * As little as possible between the connection and the count: with a full client this process, not the server, would
 * be what is measured.
 */
export function openLiveSocket(options: LiveSocketOptions): Promise<LiveSocket> {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    let isOver = false;
    const lost = (reason: string): void => {
      if (isOver) return;
      live.end();
      if (isOpen) options.onEnd(reason);
      else reject(new Error(`a socket was not opened: ${reason}`));
    };
    const readFrames = createFrameReader({
      onText: (buffer, start, end) => {
        if (isOpen) {
          options.onMessage(buffer, start, end);
        } else if (buffer.toString('utf8', start, end).includes('"connection_ack"')) {
          isOpen = true;
          resolve(live);
        }
      },
      onPing: (payload) => socket.write(pongFrame(payload)),
      onClose: (code, reason) => {
        lost(`${code} ${reason}`);
      },
    });
    const read = createUpgradeReader({
      onUpgraded: () => {
        live.send({ type: 'connection_init', payload: options.init });
      },
      onRefused: lost,
      read: readFrames,
    });
    const socket = connectReading(options.port, read, lost);
    const live: LiveSocket = {
      send: (message) => socket.write(textFrame(JSON.stringify(message))),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      end: () => {
        isOver = true;
        socket.destroy();
      },
    };
  });
}

/** One for all sockets: each reading is used up before the next begins. */
const READING = Buffer.allocUnsafeSlow(256 * 1024);

function connectReading(port: number, read: (chunk: Buffer) => void, lost: (reason: string) => void): Socket {
  const callback = (size: number): boolean => {
    read(READING.subarray(0, size));
    return true;
  };
  const socket = connect({
    host: '127.0.0.1',
    port,
    noDelay: true,
    onread: { buffer: READING, callback },
  });
  socket.once('connect', () => socket.write(upgradeRequest(port)));
  socket.on('error', (error) => {
    lost(error.message);
  });
  socket.on('close', () => {
    lost('closed');
  });
  return socket;
}
