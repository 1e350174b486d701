import type { FastifyBaseLogger } from 'fastify';
import type { Refusal } from './admission.ts';
import { startLoadMeter } from './load-meter.ts';
import { createOverloadLevel, type OverloadLevel } from './overload-level.ts';

/** Decides what is begun while there is more to do than can be done. Nothing that was begun is ever cut by it. */
export interface Overload {
  /**
   * Why something that its caller can ask for again is not begun now; null when it is. Mutations, which ask for more of
   * their callers, are put off last; without `isMutation` it is none.
   */
  refusal(isMutation?: () => boolean): Refusal | null;
  /** 0 when nothing is put off, 1 when everything but mutations is, 2 when they are as well. */
  level(): OverloadLevel;
  stop(): void;
}

export interface OverloadOptions {
  /** By how much the event loop may be late, on average, in ms; 0 has nothing put off ever. */
  readonly limitMs: number;
  /** How long the oldest write has been waiting for its commit, in ms. */
  readonly writeLag: () => number;
  readonly log: FastifyBaseLogger;
}

/** How often it looks at most, in ms. */
const LOOK_MS = 500;
/** Clients come back one after the other, within so many seconds. */
const COME_BACK_S = { from: 2, to: 5 };

/** Looks at the load of this process again and again, and logs a line whenever that changes what is begun. */
export function startOverload({ limitMs, log, writeLag }: OverloadOptions): Overload {
  if (limitMs === 0) return NOTHING_IS_PUT_OFF;
  const everyMs = Math.min(LOOK_MS, limitMs / 2);
  const meter = startLoadMeter(everyMs, writeLag);
  const levelAfter = createOverloadLevel(limitMs);
  let level: OverloadLevel = 0;
  let refused = 0;

  const timer = setInterval(() => {
    const load = meter.look();
    const before = level;
    level = levelAfter(load);
    if (level === before) return;
    log[level > before ? 'warn' : 'info']({ ...load, refused }, SAID[level]);
    refused = 0;
  }, everyMs);
  timer.unref();

  return {
    refusal(isMutation = () => false) {
      if (level === 0 || (level === 1 && isMutation())) return null;
      refused += 1;
      return overloaded(refused);
    },
    level: () => level,
    stop() {
      clearInterval(timer);
      meter.stop();
    },
  };
}

const NOTHING_IS_PUT_OFF: Overload = {
  refusal: () => null,
  level: () => 0,
  stop: () => undefined,
};

const SAID: Readonly<Record<OverloadLevel, string>> = {
  0: 'no longer overloaded: everything is begun again',
  1: 'overloaded: no query, event stream, upload or socket is begun',
  2: 'overloaded: no mutation is begun either',
};

function overloaded(count: number): Refusal {
  const { from, to } = COME_BACK_S;
  return {
    status: 503,
    code: 'SERVICE_UNAVAILABLE',
    message: 'The gateway has too much to do; nothing was done of this.',
    retryAfterS: from + (count % (to - from + 1)),
  };
}
