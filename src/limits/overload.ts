import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { BaseLogger } from 'pino';
import { retryLater, type Refusal } from './refusal.ts';

/** Decides whether new work is accepted. It never cuts work in progress. */
export interface Overload {
  /** Why a new request is refused; null to accept it. */
  refusal(): Refusal | null;
  /** 1 while new requests are refused, else 0. */
  level(): 0 | 1;
  stop(): void;
}

interface OverloadOptions {
  /** The mean lag of the event loop that is allowed, in ms; 0 accepts everything. */
  readonly limitMs: number;
  /** How long the oldest write has been waiting for its commit, in ms. */
  readonly writeLag: () => number;
  readonly log: BaseLogger;
}

/** How busy the process is. */
export interface Load {
  /** The mean lag of the event loop since the last look, in ms. */
  readonly loopDelayMs: number;
  /** The used part of the JavaScript heap limit, from 0 to 1. */
  readonly heapUsed: number;
  /** How long the oldest write has been waiting for its commit, in ms. */
  readonly writeLagMs: number;
}

/** The longest time between two looks, in ms. */
const LOOK_MS = 500;
/** The longest time between two measurements of the event loop, in ms. */
const RESOLUTION_MS = 20;
/** Retries are spread over these seconds. */
const FROM_S = 2;
const TO_S = 5;
const OVERLOADED = 'The gateway is overloaded and did not process this request.';

/** One long tick of the event loop, however long, is one look and no overload. */
const LOOKS_TO_RISE = 3;
const LOOKS_TO_FALL = 4;
/** A write that waits so many times the limit counts as an event loop at the limit, because others write as well. */
const WRITES_WAIT = 5;
/** Memory use that counts as overload, and that ends it. Long-lived data may fill most of the heap at all times. */
const HEAP = { max: 0.9, calm: 0.875 };

/** Measures the load of this process at intervals, and logs a line when an overload begins or ends. */
export function startOverload({ limitMs, log, writeLag }: OverloadOptions): Overload {
  if (limitMs === 0) return NEVER;
  const everyMs = Math.min(LOOK_MS, limitMs / 2);
  const meter = startMeter(everyMs, writeLag);
  const isTooMuch = createOverloadJudge(limitMs);
  let isOverloaded = false;
  let refused = 0;

  const timer = setInterval(() => {
    const load = meter.look();
    const before = isOverloaded;
    isOverloaded = isTooMuch(load);
    if (isOverloaded === before) return;
    if (isOverloaded) log.warn(load, 'overloaded: new requests, uploads and sockets are refused');
    else log.info({ ...load, refused }, 'no longer overloaded: new requests are accepted again');
    refused = 0;
  }, everyMs);
  timer.unref();

  return {
    refusal() {
      if (!isOverloaded) return null;
      refused += 1;
      return retryLater(503, OVERLOADED, FROM_S + (refused % (TO_S - FROM_S + 1)));
    },
    level: () => (isOverloaded ? 1 : 0),
    stop() {
      clearInterval(timer);
      meter.stop();
    },
  };
}

const NEVER: Overload = { refusal: () => null, level: () => 0, stop: () => undefined };

/**
 * Returns whether a load is too much. Overload begins after three looks in a row beyond the limit, and ends after four in a
 * row below half of it.
 */
export function createOverloadJudge(limitMs: number): (load: Load) => boolean {
  let isOverloaded = false;
  let above = 0;
  let below = 0;
  return ({ heapUsed, loopDelayMs, writeLagMs }) => {
    const strain = Math.max(loopDelayMs, writeLagMs / WRITES_WAIT) / limitMs;
    above = strain > 1 || heapUsed > HEAP.max ? above + 1 : 0;
    below = strain < 0.5 && heapUsed < HEAP.calm ? below + 1 : 0;
    if (above >= LOOKS_TO_RISE) isOverloaded = true;
    if (below >= LOOKS_TO_FALL) isOverloaded = false;
    return isOverloaded;
  };
}

/** Measures this process between two looks. */
function startMeter(
  everyMs: number,
  writeLag: () => number,
): { readonly look: () => Load; readonly stop: () => void } {
  const resolution = Math.max(1, Math.min(RESOLUTION_MS, Math.floor(everyMs / 4)));
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  let lookedAt = performance.now();
  return {
    look() {
      const now = performance.now();
      // The histogram records the time between two ticks. Ticks that are longer than the time between two looks leave none.
      const betweenMs = delays.count === 0 ? now - lookedAt : delays.mean / 1e6;
      delays.reset();
      lookedAt = now;
      const { heap_size_limit: limit, used_heap_size: used } = getHeapStatistics();
      return {
        loopDelayMs: Math.max(0, betweenMs - resolution),
        heapUsed: used / limit,
        writeLagMs: writeLag(),
      };
    },
    stop() {
      delays.disable();
    },
  };
}
