import { afterReading } from '../tasks/clock.ts';

/** A signal that is aborted once nobody has said for a while that there is progress. */
export interface Patience {
  readonly signal: AbortSignal;
  renew(): void;
  /** Nothing is waited for any more. */
  end(): void;
}

export function createPatience(ms: number): Patience {
  const controller = new AbortController();
  const wait = (): (() => void) =>
    afterReading(ms, () => {
      controller.abort(new Error(`no progress within ${ms} ms`));
    });
  let end = wait();
  return {
    signal: controller.signal,
    renew: () => {
      end();
      end = wait();
    },
    end: () => {
      end();
    },
  };
}
