import { Gauge, type Registry } from 'prom-client';
import { listPrice, modelByName, MODELS } from '../models/index.ts';
import type { Log } from '../tasks/log.ts';
import type { VisibleRecord } from '../tasks/task.ts';

/** Differences below this are rounding. */
const SAME = 0.005;

/** Compares the charges of new videos with the price list in the code. A model whose prices differ gets one warning a day. */
export function createPriceDrift(
  registry: Registry,
  { log, now }: { readonly log: Log; readonly now: () => number },
): (changes: readonly VisibleRecord[]) => void {
  const drift = new Gauge({
    name: 'kineograph_price_drift',
    help: 'Credits that the newest video of a model was charged above (or below) the price list of this version.',
    labelNames: ['model'],
    registers: [registry],
  });
  for (const { name } of MODELS) drift.labels(name).set(0);
  const warnedOn = new Map<string, string>();
  return (changes) => {
    for (const task of changes) {
      const { creditsConsumed, id, model: name, state } = task;
      if (state !== 'SUCCESS' || creditsConsumed === null) continue;
      const model = modelByName(name);
      const listed = model && listPrice(model, task);
      if (listed === null) continue;
      const isListed = Math.abs(creditsConsumed - listed) < SAME;
      drift.labels(name).set(isListed ? 0 : creditsConsumed - listed);
      const day = new Date(now()).toISOString().slice(0, 10);
      if (isListed || warnedOn.get(name) === day) continue;
      warnedOn.set(name, day);
      log.warn(
        { task: id, model: name, creditsConsumed, listed },
        'the provider charged another price than the list says',
      );
    }
  };
}
