import type { ServerResponse } from 'node:http';

/** Calls `run` once the answer is out, or can no longer go out; at once when that is so already. */
export function whenClosed(response: ServerResponse, run: () => void): void {
  if (response.closed) run();
  else response.once('close', run);
}
