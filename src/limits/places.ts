/** Runs an owner's work as soon as there is a place for it, and returns its result. */
export type InPlace = <T>(owner: string, run: () => Promise<T>) => Promise<T>;

/** A number of places for work that takes long. Owners who wait take turns, so none waits for all work of another. */
export function createPlaces(places: number): InPlace {
  const line = new Map<string, readonly (() => void)[]>();
  let free = places;

  function beginNext(): void {
    const [first] = line;
    if (!first || free === 0) return;
    const [owner, [begin, ...others]] = first;
    line.delete(owner);
    // An owner with more work goes to the end of the line.
    if (others.length > 0) line.set(owner, others);
    free -= 1;
    begin?.();
  }

  return async (owner, run) => {
    await new Promise<void>((resolve) => {
      line.set(owner, [...(line.get(owner) ?? []), resolve]);
      beginNext();
    });
    try {
      return await run();
    } finally {
      free += 1;
      beginNext();
    }
  };
}
