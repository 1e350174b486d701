import { pino, type DestinationStream } from 'pino';

/** How much is kept for a reader that takes nothing right now; beyond it lines are dropped. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** Lines wait so long for others, in ms, or until they have this length: a write costs as much as several lines. */
const GATHER_MS = 10;
const GATHER_LENGTH = 16_384;

/** How often a process that ends tries to get rid of what is left, 100 ms apart. */
const LAST_TRIES = 10;

/**
 * The standard output, for logs: all is written by the time the process ends. A reader that stalls or goes away (a pipe,
 * a closed terminal, a full disk) costs lines, but neither holds up the process nor keeps it from ending. A process that is
 * killed takes those along that wait for others.
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
  const pass = gather(stream);

  // The library's own would try for ever.
  const flushSync = stream.flushSync.bind(stream);
  stream.flushSync = () => {
    if (isBroken) return;
    triesLeft = LAST_TRIES;
    // Else what is passed on now would be written after the end.
    Reflect.set(stream, 'sync', true);
    try {
      pass();
      flushSync();
    } catch {
      isBroken = true;
    }
    Reflect.set(stream, 'sync', false);
    triesLeft = Infinity;
  };
  return stream;
}

/** Has lines written together; returns how to have those written that wait. */
function gather(stream: ReturnType<typeof pino.destination>): () => void {
  const write = stream.write.bind(stream);
  let text = '';
  let timer: NodeJS.Timeout | null = null;
  const pass = (): void => {
    if (timer) clearTimeout(timer);
    timer = null;
    const lines = text;
    text = '';
    if (lines !== '') write(lines);
  };
  stream.write = (line) => {
    text += line;
    if (text.length >= GATHER_LENGTH) pass();
    else timer ??= setTimeout(pass, GATHER_MS);
    return true;
  };
  return pass;
}
