/** A signal that is aborted once nobody has said for a while that there is progress. */
export interface Patience {
  readonly signal: AbortSignal;
  renew(): void;
  /** Nothing is waited for any more. */
  end(): void;
}

export function createPatience(ms: number): Patience {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new Error(`no progress within ${ms} ms`));
  }, ms);
  return {
    signal: controller.signal,
    renew: () => {
      timer.refresh();
    },
    end: () => {
      clearTimeout(timer);
    },
  };
}
