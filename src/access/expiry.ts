import type { Caller } from './caller.ts';

/** setTimeout fires longer delays at once. */
const MAX_DELAY_MS = 0x7fffffff;

/** Calls `run` once when the caller's proof ends, never when it does not. Returns how to give that up. */
export function atExpiry({ expiresAt }: Caller, run: () => void): () => void {
  if (expiresAt === null) return () => undefined;
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const left = expiresAt - Date.now();
    timer = setTimeout(left > MAX_DELAY_MS ? wait : run, Math.min(Math.max(0, left), MAX_DELAY_MS));
    timer.unref();
  };
  wait();
  return () => {
    clearTimeout(timer);
  };
}
