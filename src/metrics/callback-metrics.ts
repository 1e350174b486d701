import { Counter, type Registry } from 'prom-client';
import type { CallbackResult } from '../webhooks/refusals.ts';

/** Counts callbacks by their results, all of which are `known` from the start. */
export function createCallbackMetrics(
  registry: Registry,
  known: readonly CallbackResult[],
): (result: CallbackResult) => void {
  const callbacks = new Counter({
    name: 'kineograph_callbacks_total',
    help: 'Callbacks by what became of them: applied, noted (nothing new, or a reason to ask), or the check that refused them; with the status of the answer.',
    labelNames: ['result', 'status'],
    registers: [registry],
  });
  for (const { result, status } of known) callbacks.labels(result, String(status)).inc(0);
  return ({ result, status }) => {
    callbacks.labels(result, String(status)).inc();
  };
}
