import { afterReading } from '../tasks/clock.ts';

export interface Timeout {
  /** Aborted when the time is over, and with the parent. */
  readonly signal: AbortSignal;
  /** Whether the time was over first. */
  readonly isOver: boolean;
  /** Begins the time again. */
  renew(): void;
  /** To be called in any case: lets go of the parent. */
  end(): void;
}

/** Not `AbortSignal.any`: in Node.js 20 a parent that lives on keeps what depends on it. */
export function createTimeout(ms: number, parent: AbortSignal): Timeout {
  const controller = new AbortController();
  let isOver = false;
  const abort = (): void => {
    controller.abort();
  };
  const start = (): (() => void) =>
    afterReading(ms, () => {
      isOver = !controller.signal.aborted;
      abort();
    });
  if (parent.aborted) abort();
  parent.addEventListener('abort', abort);
  let cancel = start();
  return {
    signal: controller.signal,
    get isOver() {
      return isOver;
    },
    renew() {
      cancel();
      cancel = start();
    },
    end() {
      cancel();
      parent.removeEventListener('abort', abort);
    },
  };
}
