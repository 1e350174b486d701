import type { Verdict } from './sharing-judge.ts';

/** How long nothing may come while something must; only a test that fails lasts so long. */
const PATIENCE_MS = 10_000;

/** Fulfilled when all has come that must, or nothing comes any more. `onNews` is given what to call after each message. */
export function untilRight(verdicts: readonly Verdict[], onNews: (look: () => void) => void): Promise<void> {
  const waiting = [...verdicts];
  return new Promise((resolve) => {
    const giveUp = setTimeout(resolve, PATIENCE_MS);
    const look = (): void => {
      while (waiting.at(-1)?.isRight()) waiting.pop();
      if (waiting.length > 0) return void giveUp.refresh();
      clearTimeout(giveUp);
      onNews(() => undefined);
      resolve();
    };
    onNews(look);
    look();
  });
}
