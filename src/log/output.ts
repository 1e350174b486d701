import { writeSync } from 'node:fs';
import { pino, type DestinationStream } from 'pino';

const STDOUT = 1;

/** Buffer for a slow reader. When it is full, lines are dropped. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** Lines are buffered up to this size and time, because a write costs as much as several lines. */
const GATHER_BYTES = 8192;
const GATHER_MS = 50;

/** Time limit of the last flush, and the pause between its attempts, in ms. */
const LAST_MS = 1000;
const PAUSE_MS = 20;

/**
 * Standard output with a buffer that is flushed at exit. If the reader stalls or is gone (pipe, terminal, full disk), lines
 * are lost, but the process neither blocks nor hangs. A killed process loses its buffer.
 */
export function standardOutput(): DestinationStream {
  const stream = pino.destination({
    dest: STDOUT,
    sync: false,
    minLength: GATHER_BYTES,
    maxLength: MAX_UNWRITTEN_BYTES,
  });
  flushInTime(stream);
  // Without a listener a full disk would crash the process. After EPIPE pino drops all lines.
  stream.on('error', () => undefined);
  // The original retries a write that fails with EPIPE for ever:
  // https://github.com/pinojs/sonic-boom/blob/v4.2.1/index.js (flushSync)
  stream.flushSync = () => {
    writeInTime(takeUnwritten(stream));
  };
  return stream;
}

/** sonic-boom's own `periodicFlush` would write an empty text twenty times a second to no end. */
function flushInTime(stream: ReturnType<typeof pino.destination>): void {
  const write = stream.write.bind(stream);
  let isPlanned = false;
  const plan = (): void => {
    isPlanned = true;
    setTimeout(flush, GATHER_MS).unref();
  };
  const flush = (): void => {
    isPlanned = false;
    if (!isUnwritten(stream)) return;
    stream.flush();
    plan();
  };
  stream.write = (line) => {
    if (!isPlanned) plan();
    return write(line);
  };
}

/** Fields of sonic-boom that its types lack: buffered lines, and the rest of an incomplete write. */
interface Unwritten {
  readonly _bufs: string[];
  readonly _writing: boolean;
  readonly _writingBuf: string | Buffer;
  readonly destroyed: boolean;
}

function isUnwritten(stream: object): boolean {
  const { _bufs, _writing, _writingBuf, destroyed } = stream as Unwritten;
  return !destroyed && (_writing || _writingBuf.length > 0 || _bufs.length > 0);
}

function takeUnwritten(stream: object): Buffer {
  const { _bufs, _writing, _writingBuf } = stream as Unwritten;
  const begun = _writing ? '' : _writingBuf;
  return Buffer.concat([Buffer.from(begun), Buffer.from(_bufs.splice(0).join(''))]);
}

function writeInTime(bytes: Buffer): void {
  const begunAt = performance.now();
  let rest = bytes;
  while (rest.length > 0 && performance.now() - begunAt < LAST_MS) {
    try {
      rest = rest.subarray(writeSync(STDOUT, rest));
    } catch (error) {
      // EAGAIN: the reader is slow. Other errors are permanent.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}
