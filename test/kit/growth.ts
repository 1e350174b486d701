/** Lengths of a text, each four times the one before: below the first ones even an exponential expression ends. */
const LENGTHS = [24, 96, 384, 1536, 6144, 24_576];

/** What takes less cannot be judged, and hurts nobody. */
const MEASURABLE_MS = 3;
/** Beyond that longer texts are not tried. */
const TOO_LONG_MS = 100;
const RUNS = 5;

/** For four times the length: linear work takes 4 times as long, quadratic work 16 times. */
const MAX_RATIO = 8;

/** Who seems slow is run so many times more, long and short in turn: garbage collection may fall into any run. */
const DOUBTS = 10;

/**
 * Says that work grows faster than the text, which `textOf` makes of a length; null when it does not. The least of
 * several runs counts, and only what takes long enough to be measured.
 */
export function superlinearGrowth(
  work: (text: string) => unknown,
  textOf: (length: number) => string,
): string | null {
  for (const length of LENGTHS) {
    const long = textOf(length);
    const short = textOf(length / 4);
    let ms = leastMs(work, long, RUNS, MEASURABLE_MS);
    let quarterMs = ms < MEASURABLE_MS ? Infinity : leastMs(work, short, RUNS);
    const isSlow = (): boolean => ms > TOO_LONG_MS || (ms >= MEASURABLE_MS && ms > MAX_RATIO * quarterMs);
    for (let more = 0; more < DOUBTS && ms <= TOO_LONG_MS && isSlow(); more += 1) {
      ms = Math.min(ms, leastMs(work, long, 1));
      quarterMs = Math.min(quarterMs, leastMs(work, short, 1));
    }
    if (isSlow())
      return `${length} characters take ${ms.toFixed(1)} ms, a quarter of them ${quarterMs.toFixed(2)} ms`;
  }
  return null;
}

/** The least CPU time of several runs: a clock would count the programs that the machine runs in between. One that takes less than `enough` ends them. */
function leastMs(work: (text: string) => unknown, text: string, runs: number, enough = 0): number {
  let least = Infinity;
  for (let run = 0; run < runs && least >= enough; run += 1) {
    const before = process.cpuUsage();
    work(text);
    const { system, user } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}
