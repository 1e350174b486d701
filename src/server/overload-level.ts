/** How busy the process is. */
export interface Load {
  /** By how much the event loop was late since the last look, on average, in ms. */
  readonly loopDelayMs: number;
  /** How much of the memory that JavaScript may have is in use, from 0 to 1. */
  readonly heapUsed: number;
  /** How long the oldest write has been waiting for its commit, in ms. */
  readonly writeLagMs: number;
}

/** 0: everything is taken. 1: what is asked again at no cost is put off. 2: mutations as well. */
export type OverloadLevel = 0 | 1 | 2;

/** For how many looks in a row it has to be so: one long turn of the event loop, however long, is one look. */
const LOOKS_TO_RISE = 3;
const LOOKS_TO_FALL = 4;

/** A write that waits so many times the limit is as bad as an event loop at the limit: others write as well. */
const WRITES_WAIT = 5;
/** So much of the memory in use is as bad, and so much is twice as bad; what lives long may fill most of it at all times. */
const MEMORY = { atLimit: 0.9, atTwice: 0.95 };

/**
 * Says after each look how much is too much. It rises one level when three looks in a row were beyond that level's limit
 * (the second one is twice the first), and falls one when four in a row were below half of it.
 */
export function createOverloadLevel(limitMs: number): (load: Load) => OverloadLevel {
  let level: OverloadLevel = 0;
  let above = 0;
  let below = 0;

  return (load) => {
    const strain = strainOf(load, limitMs);
    above = strain > level + 1 ? above + 1 : 0;
    below = strain < level / 2 ? below + 1 : 0;
    if (above === LOOKS_TO_RISE && level < 2) level = next(level, 1);
    else if (below === LOOKS_TO_FALL) level = next(level, -1);
    else return level;
    above = 0;
    below = 0;
    return level;
  };
}

function next(level: OverloadLevel, step: 1 | -1): OverloadLevel {
  return (level + step) as OverloadLevel;
}

/** 1 at the limit, 2 at twice the limit; the worst of all counts. */
function strainOf({ heapUsed, loopDelayMs, writeLagMs }: Load, limitMs: number): number {
  return Math.max(
    loopDelayMs / limitMs,
    writeLagMs / (limitMs * WRITES_WAIT),
    1 + (heapUsed - MEMORY.atLimit) / (MEMORY.atTwice - MEMORY.atLimit),
  );
}
