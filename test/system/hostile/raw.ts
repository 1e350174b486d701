import { connect } from 'node:net';
import { onTestEnd } from '../../kit/waits.ts';

/** How long an attack goes on at most. */
const PATIENCE_MS = 3000;
/** How long an answer may take on a busy machine; REQUEST_TIMEOUT_MS, which ends what waits for a body, is longer. */
const ANSWER_MS = 10_000;

/** A connection of which an attack decides each byte. It stays open until the test ends, unless the gateway closes it. */
export function openRawConnection(port: number) {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('data', () => undefined);
  // The gateway may well answer an attack with a reset.
  socket.on('error', () => undefined);
  onTestEnd(() => void socket.destroy());
  const answered = new Promise((resolve) => socket.once('data', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const written = (chunk: string | Buffer): Promise<unknown> =>
    new Promise((resolve) => socket.write(chunk, resolve));
  return {
    closed,
    /** Fulfilled when the gateway has sent something, or closed it. */
    ended: Promise.race([answered, closed]),
    /** Writes as fast as the gateway takes it, until all is written, the connection is closed, or `PATIENCE_MS` are over. */
    async pour(chunks: Iterable<string | Buffer>): Promise<void> {
      const isOver = patience();
      for (const chunk of chunks) {
        if (!socket.writable) return;
        const ended = await Promise.race([written(chunk), closed, isOver]);
        if (ended === 'over') return;
      }
    },
    /** From now on nothing that the gateway sends is read; `resume` ends that. */
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

/** Throws `complaint` when these take too long. */
export async function inTime(events: readonly Promise<unknown>[], complaint: string): Promise<void> {
  if ((await Promise.race([Promise.all(events), patience(ANSWER_MS)])) === 'over') throw new Error(complaint);
}

/** Does something `count` times at once. */
export function collect<T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => one(index)));
}

/** Does something `turns` times in a row in each of `count` lanes. */
export async function lanes(
  count: number,
  turns: number,
  one: (lane: number, turn: number) => Promise<unknown>,
): Promise<void> {
  await collect(count, async (lane) => {
    for (let turn = 0; turn < turns; turn += 1) await one(lane, turn);
  });
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

const TEXT = 1;
const CONTINUATION = 0;
const MASKED_ONE_BYTE = 0x81;

/** One text message of a WebSocket in fragments of one byte, which never ends. */
export function* fragmentsOfOneByte(count: number): Generator<Buffer> {
  const perPiece = 1000;
  // The mask is zero, so that the byte is itself.
  const frame = (opcode: number): Buffer => Buffer.from([opcode, MASKED_ONE_BYTE, 0, 0, 0, 0, 0x78]);
  const piece = Buffer.concat(Array.from({ length: perPiece }, () => frame(CONTINUATION)));
  yield frame(TEXT);
  for (let sent = 1; sent < count; sent += perPiece) yield piece;
}
