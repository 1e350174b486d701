/** Does something `count` times at once. */
export function collect<T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => one(index)));
}

/** Does something `turns` times in a row in each of `count` lanes. */
export async function lanes(
  count: number,
  turns: number,
  one: (lane: number, turn: number) => Promise<void>,
): Promise<void> {
  await collect(count, async (lane) => {
    for (let turn = 0; turn < turns; turn += 1) await one(lane, turn);
  });
}

/** How much longer something hostile may take than something harmless of the same size. */
const MAX_RATIO = 5;
const TURNS = 5;

/** Throws when `hostile` takes several times as long as `harmless`: by their medians, one after the other. */
export async function costsLike(
  harmless: () => Promise<unknown>,
  hostile: () => Promise<unknown>,
): Promise<void> {
  const times: { harmless: number[]; hostile: number[] } = { harmless: [], hostile: [] };
  for (let turn = 0; turn < TURNS; turn += 1) {
    times.harmless.push(await timeOf(harmless));
    times.hostile.push(await timeOf(hostile));
  }
  const [usual, long] = [median(times.harmless), median(times.hostile)];
  if (long > usual * MAX_RATIO) throw new Error(`It takes ${long} ms, something harmless ${usual} ms`);
}

async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await run();
  return performance.now() - begun;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
