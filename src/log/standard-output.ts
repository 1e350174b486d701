import { pino, type DestinationStream } from 'pino';

/** How much is kept for a reader that takes nothing right now; beyond it lines are dropped. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** How often a process that ends tries to get rid of what is left, 100 ms apart. */
const LAST_TRIES = 10;

/**
 * The standard output, for logs: all is written by the time the process ends. A reader that stalls or goes away (a pipe,
 * a closed terminal, a full disk) costs lines, but neither holds up the process nor keeps it from ending.
 */
export function standardOutput(): DestinationStream {
  let triesLeft = Infinity;
  let isBroken = false;
  const stream = pino.destination({
    dest: 1,
    sync: false,
    maxLength: MAX_UNWRITTEN_BYTES,
    retryEAGAIN: () => (triesLeft -= 1) > 0,
  });
  stream.on('error', () => {
    isBroken = true;
  });
  stream.on('write', () => {
    isBroken = false;
  });

  // The library's own would try for ever.
  const flushSync = stream.flushSync.bind(stream);
  stream.flushSync = () => {
    if (isBroken) return;
    triesLeft = LAST_TRIES;
    try {
      flushSync();
    } catch {
      isBroken = true;
    }
    triesLeft = Infinity;
  };
  return stream;
}
