/** Functions that release what was opened. Node 20 has no AsyncDisposableStack. */
export interface Cleanup {
  add(undo: () => Promise<void> | void): void;
  /** Runs all added functions once, last one first. Rejects with their errors after running all. */
  run(): Promise<void>;
}

export function createCleanup(): Cleanup {
  const undos: (() => Promise<void> | void)[] = [];
  return {
    add: (undo) => undos.push(undo),
    async run() {
      const failures: unknown[] = [];
      for (let undo = undos.pop(); undo; undo = undos.pop()) {
        try {
          await undo();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw new AggregateError(failures, 'the gateway did not close cleanly');
    },
  };
}
