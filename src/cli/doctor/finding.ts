/** What a check has come to; skipped says nothing about whether it is well. */
export type Status = 'ok' | 'skipped' | 'warning' | 'failure';

/** One thing that a check has found; no secret is in it. */
export interface Finding {
  readonly check: string;
  readonly status: Status;
  readonly message: string;
  /** How to mend it; null where nothing is to be mended. */
  readonly mend: string | null;
}

/** Makes the findings of one check. */
export interface Findings {
  ok(message: string): Finding;
  skipped(message: string): Finding;
  warning(message: string, mend: string): Finding;
  failure(message: string, mend: string): Finding;
}

export function findingsOf(check: string): Findings {
  return {
    ok: (message) => ({ check, status: 'ok', message, mend: null }),
    skipped: (message) => ({ check, status: 'skipped', message, mend: null }),
    warning: (message, mend) => ({ check, status: 'warning', message, mend }),
    failure: (message, mend) => ({ check, status: 'failure', message, mend }),
  };
}
