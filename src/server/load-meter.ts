import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Load } from './overload-level.ts';

export interface LoadMeter {
  /** The load since it was called last. */
  look(): Load;
  stop(): void;
}

/** How often the event loop is timed at most, in ms. */
const RESOLUTION_MS = 20;

/** Measures this process, for somebody who looks every `everyMs`. */
export function startLoadMeter(everyMs: number, writeLag: () => number): LoadMeter {
  const resolution = Math.max(1, Math.min(RESOLUTION_MS, Math.floor(everyMs / 4)));
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  let lookedAt = performance.now();
  return {
    look() {
      const now = performance.now();
      // What is recorded is the time between two ticks. Turns that are longer than the time between two looks leave none.
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
