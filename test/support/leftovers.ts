/**
 * What a test leaves behind: things to dispose of when it ends, and failures nobody awaited.
 * One stack per test file; tests of one file run one after the other.
 */

type Dispose = () => Promise<void> | void;

const disposals: Dispose[] = [];
const failures: Error[] = [];

/**
 * Calls `dispose` when the running test ends, whether it passed or failed, the latest first.
 * Called in a `beforeAll`, it is disposed of after the first test already.
 */
export function onTestEnd(dispose: Dispose): void {
  disposals.push(dispose);
}

/** Makes the running test fail at its end, for trouble that happens where no test can see it thrown. */
export function recordFailure(failure: Error | string): void {
  failures.push(typeof failure === 'string' ? new Error(failure) : failure);
}

/** Hands out the failures recorded so far and forgets them: for a test that expects one. */
export function takeFailures(): Error[] {
  return failures.splice(0);
}

/**
 * Runs every disposal to its end, even when another one throws, and then throws everything that went
 * wrong: the recorded failures first, then what the disposals threw.
 */
export async function disposeLeftovers(): Promise<void> {
  const thrown: unknown[] = [];
  for (let dispose = disposals.pop(); dispose !== undefined; dispose = disposals.pop()) {
    try {
      await dispose();
    } catch (error) {
      thrown.push(error);
    }
  }
  const all = [...takeFailures(), ...thrown];
  if (all.length === 1) throw all[0];
  if (all.length > 1) throw new AggregateError(all, all.map(String).join('\n'));
}
