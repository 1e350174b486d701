import { writeSync } from 'node:fs';
import { pino, type DestinationStream } from 'pino';

const STDOUT = 1;

/** How much is kept for a reader that takes nothing right now; beyond it lines are dropped. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** Lines wait for others until there are so many bytes, or so long, in ms: a write costs as much as several lines. */
const GATHER_BYTES = 8192;
const GATHER_MS = 50;

/** How long a process that ends tries to write what is left, in ms, and how long it waits after a try. */
const LAST_MS = 1000;
const PAUSE_MS = 20;

/**
 * The standard output, for logs: all is written by the time the process ends. A reader that stalls or goes away (a pipe,
 * a closed terminal, a full disk) costs lines, but neither holds up the process nor keeps it from ending. A process that is
 * killed takes those along that wait for others.
 */
export function standardOutput(): DestinationStream {
  const stream = pino.destination({
    dest: STDOUT,
    sync: false,
    minLength: GATHER_BYTES,
    maxLength: MAX_UNWRITTEN_BYTES,
    periodicFlush: GATHER_MS,
  });
  // Without a listener a full disk would end the process. After EPIPE pino drops all lines by itself.
  stream.on('error', () => undefined);
  // The library's own repeats a write that fails with EPIPE for ever:
  // https://github.com/pinojs/sonic-boom/blob/v4.2.1/index.js (flushSync)
  stream.flushSync = () => {
    writeInTime(takeUnwritten(stream));
  };
  return stream;
}

/** What the library keeps: lines, and what is left of a write that did not come to its end. */
interface Unwritten {
  readonly _bufs: string[];
  readonly _writing: boolean;
  readonly _writingBuf: string | Buffer;
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
      // A reader that is slow may go on; one that has gone, or a full disk, does not come back.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}
