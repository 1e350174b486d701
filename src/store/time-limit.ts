/** How long answers are waited for, as long as somebody has set a limit. */
export interface TimeLimit {
  /** From now on, also for what is under way, no answer is waited for longer than this. */
  set(ms: number): void;
  isSet(): boolean;
  /** The answer, or a rejection when it takes too long. */
  on<T>(answer: Promise<T>): Promise<T>;
}

export function createTimeLimit(): TimeLimit {
  let limitMs: number | null = null;
  const waiting = new Set<() => void>();

  return {
    set(ms) {
      limitMs = ms;
      const giveUp = [...waiting];
      setTimeout(() => {
        for (const one of giveUp) one();
      }, ms);
    },
    isSet: () => limitMs !== null,
    on: (answer) =>
      new Promise((resolve, reject) => {
        const giveUp = (): void => {
          reject(new Error('Gateway is stopping and waits no longer for the database'));
        };
        waiting.add(giveUp);
        const timer = limitMs === null ? undefined : setTimeout(giveUp, limitMs);
        const settled = (): void => {
          waiting.delete(giveUp);
          clearTimeout(timer);
        };
        answer.finally(settled).then(resolve, reject);
      }),
  };
}
