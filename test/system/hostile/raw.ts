import { connect } from 'node:net';
import { onTestEnd } from '../../kit/waits.ts';

/** A connection of which an attack decides each byte. It stays open until the test ends, unless the gateway closes it. */
export interface RawConnection {
  /** What the gateway has answered so far. */
  received(): string;
  isClosed(): boolean;
  /** Fulfilled when the gateway has closed it. */
  readonly closed: Promise<void>;
  /** Fulfilled when the gateway has sent something. */
  readonly answered: Promise<void>;
  /**
   * Writes as fast as the gateway takes it. Fulfilled when all is written, the gateway has closed the connection, or
   * `PATIENCE_MS` are over.
   */
  pour(chunks: Iterable<string | Buffer>): Promise<void>;
  /** From now on nothing that the gateway sends is read; `resume` ends that. */
  pause(): void;
  resume(): void;
}

/** How long an attack goes on at most. */
const PATIENCE_MS = 3000;
/** How long an answer may take on a busy machine; REQUEST_TIMEOUT_MS, which ends what waits for a body, is longer. */
const ANSWER_MS = 10_000;

export function openRawConnection(port: number): RawConnection {
  const socket = connect({ port, host: '127.0.0.1' });
  let received = '';
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  // The gateway may well answer an attack with a reset.
  socket.on('error', () => undefined);
  onTestEnd(() => {
    socket.destroy();
  });
  const answered = new Promise<void>((resolve) => {
    socket.once('data', () => {
      resolve();
    });
  });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true;
      resolve();
    });
  });
  const written = (chunk: string | Buffer): Promise<void> =>
    new Promise((resolve) => {
      socket.write(chunk, () => {
        resolve();
      });
    });

  return {
    received: () => received,
    isClosed: () => isClosed,
    closed,
    answered,
    async pour(chunks) {
      const isOver = patience();
      for (const chunk of chunks) {
        if (isClosed || !socket.writable) return;
        const ended = await Promise.race([written(chunk), closed, isOver]);
        if (ended === 'over') return;
      }
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

/** Fulfilled when an attack has gone on for long enough. */
export function patience(ms = PATIENCE_MS): Promise<'over'> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, 'over').unref();
  });
}

/** Fulfilled when each of these was answered or closed; false when that took too long. */
export async function allAnswered(connections: readonly RawConnection[]): Promise<boolean> {
  const ended = connections.map(({ answered, closed }) => Promise.race([answered, closed]));
  return (await Promise.race([Promise.all(ended), patience(ANSWER_MS)])) !== 'over';
}

/** The same when each was closed. */
export async function allClosed(connections: readonly RawConnection[]): Promise<boolean> {
  const ended = connections.map(({ closed }) => closed);
  return (await Promise.race([Promise.all(ended), patience(ANSWER_MS)])) !== 'over';
}

/** The head of a request; `lines` are its fields. */
export function requestHead(start: string, ...lines: readonly string[]): string {
  return `${[`${start} HTTP/1.1`, 'Host: 127.0.0.1', ...lines].join('\r\n')}\r\n\r\n`;
}

/** A body of chunks of one byte each, as pieces of some KiB. */
export function* chunksOfOneByte(count: number): Generator<string> {
  const perPiece = 5000;
  const piece = '1\r\nx\r\n'.repeat(perPiece);
  for (let sent = 0; sent < count; sent += perPiece) yield piece;
}

const OPCODE_TEXT = 1;
const OPCODE_CONTINUATION = 0;
const MASKED_ONE_BYTE = 0x81;

/** One text message of a WebSocket in fragments of one byte, which never ends. */
export function* fragmentsOfOneByte(count: number): Generator<Buffer> {
  const perPiece = 1000;
  // The mask is zero, so that the byte is itself.
  const frame = (opcode: number): Buffer => Buffer.from([opcode, MASKED_ONE_BYTE, 0, 0, 0, 0, 0x78]);
  const piece = Buffer.concat(Array.from({ length: perPiece }, () => frame(OPCODE_CONTINUATION)));
  yield frame(OPCODE_TEXT);
  for (let sent = 1; sent < count; sent += perPiece) yield piece;
}
