import { connect } from 'node:net';
import { createFrameReader, pongFrame, textFrame } from './frames.ts';

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
  /** Stops and goes on reading. */
  pause(): void;
  resume(): void;
  end(): void;
}

/** One for all sockets: each reading is used up before the next begins. */
const READING = Buffer.allocUnsafeSlow(256 * 1024);
const END_OF_HEAD = '\r\n\r\n';

/**
 * As little as possible between the connection and the count: with a full client this process, not the server, would
 * be what is measured.
 */
export function openLiveSocket(options: LiveSocketOptions): Promise<LiveSocket> {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    let isOver = false;
    let head = '';
    const lost = (reason: string): void => {
      if (isOver) return;
      isOver = true;
      socket.destroy();
      if (isOpen) options.onEnd(reason);
      else reject(new Error(`a socket was not opened: ${reason}`));
    };
    const live: LiveSocket = {
      send: (message) => socket.write(textFrame(JSON.stringify(message))),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      end: () => {
        isOver = true;
        socket.destroy();
      },
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
    const read = (chunk: Buffer): void => {
      if (head === OPENED) {
        readFrames(chunk);
        return;
      }
      head += chunk.toString('latin1');
      const end = head.indexOf(END_OF_HEAD);
      if (end < 0) return;
      if (!head.startsWith('HTTP/1.1 101')) {
        lost(head);
        return;
      }
      const rest = Buffer.from(head.slice(end + END_OF_HEAD.length), 'latin1');
      head = OPENED;
      live.send({ type: 'connection_init', payload: options.init });
      readFrames(rest);
    };
    const socket = connect({
      host: '127.0.0.1',
      port: options.port,
      noDelay: true,
      onread: {
        buffer: READING,
        callback: (size, buffer) => {
          read(Buffer.from(buffer.buffer, buffer.byteOffset, size));
          return true;
        },
      },
    });
    socket.once('connect', () => socket.write(upgradeRequest(options.port)));
    socket.on('error', (error) => {
      lost(error.message);
    });
    socket.on('close', () => {
      lost('closed');
    });
  });
}

const OPENED = 'opened';

function upgradeRequest(port: number): string {
  return [
    'GET /graphql HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: a2luZW9ncmFwaC1iZW5jaA==',
    'Sec-WebSocket-Protocol: graphql-transport-ws',
    END_OF_HEAD.slice(2),
  ].join('\r\n');
}
