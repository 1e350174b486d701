/** One piece of somebody's work; returns whether there is more to do for now. */
export type Step = () => boolean;

/**
 * Has long work of many done one step in each turn of the event loop, so that everything else happens in between, and
 * by turns: who has few steps to take waits for no more than one step of each of the others. The returned function lets
 * somebody in who is not in line; steps must not throw.
 */
export function createTurns(): (step: Step) => void {
  const line = new Set<Step>();

  function takeOne(): void {
    for (const step of line) {
      const isMore = step();
      line.delete(step);
      if (isMore) line.add(step);
      break;
    }
    if (line.size > 0) setImmediate(takeOne);
  }

  return (step) => {
    if (line.size === 0) setImmediate(takeOne);
    line.add(step);
  };
}
