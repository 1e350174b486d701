/** Lengths of a text, each four times the one before: below the first ones even an exponential expression ends. */
const LENGTHS = [24, 96, 384, 1536, 6144, 24_576];

/** What takes less cannot be judged, and hurts nobody. */
const MEASURABLE_MS = 3;
/** Beyond that longer texts are not tried. */
const TOO_LONG_MS = 300;
const RUNS = 5;

/** For four times the length: linear work takes 4 times as long, quadratic work 16 times. */
const MAX_RATIO = 8;

/**
 * Says that work grows faster than the text, which `textOf` makes of a length; null when it does not. The least of
 * several runs counts, and only what takes long enough to be measured.
 */
export function superlinearGrowth(
  work: (text: string) => unknown,
  textOf: (length: number) => string,
): string | null {
  for (const length of LENGTHS) {
    const ms = leastMs(work, textOf(length), MEASURABLE_MS);
    if (ms < MEASURABLE_MS) continue;
    const quarterMs = leastMs(work, textOf(length / 4), 0);
    const ratio = ms / quarterMs;
    if (ratio > MAX_RATIO || ms > TOO_LONG_MS)
      return `${length} characters take ${ms.toFixed(1)} ms, a quarter of them ${quarterMs.toFixed(2)} ms`;
  }
  return null;
}

/** The least time of several runs; one that is below `enough` ends them. */
function leastMs(work: (text: string) => unknown, text: string, enough: number): number {
  let least = Infinity;
  for (let run = 0; run < RUNS && least >= enough && (run === 0 || least < TOO_LONG_MS); run += 1) {
    const begun = performance.now();
    work(text);
    least = Math.min(least, performance.now() - begun);
  }
  return least;
}
