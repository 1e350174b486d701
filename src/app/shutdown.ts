/** What has to be undone, in reverse order, when something ends or does not come to be. */
export interface Cleanup {
  add(undo: () => Promise<void> | void): void;
  /** Undoes everything that was added, each thing once. Rejects with the first failure, after trying all. */
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
      if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed');
    },
  };
}
