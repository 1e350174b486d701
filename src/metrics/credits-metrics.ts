import { Gauge, type Registry } from 'prom-client';
import type { Provider } from '../tasks/provider.ts';

/** How old the answer may be before the provider is asked again. */
const KEPT_MS = 60_000;

/**
 * Shows what the account had left when the provider last said so. It is asked at a scrape, once a minute at most and only
 * when nobody else has asked; its answer is there at the next one. Returns the same provider, listened to.
 */
export function watchCredits(registry: Registry, provider: Provider): Provider {
  let known: number | null = null;
  let askedAt = -Infinity;

  async function ask(): Promise<number | null> {
    askedAt = performance.now();
    known = await provider.credits();
    return known;
  }

  new Gauge({
    name: 'kineograph_credits_remaining',
    help: 'Credits of the account, as the provider said when it was asked last, at a scrape before; absent while it does not say.',
    registers: [registry],
    collect() {
      // By its contract it does not reject; if it does, there is no answer.
      if (performance.now() - askedAt >= KEPT_MS) ask().catch(() => undefined);
      if (known === null) this.remove();
      else this.set(known);
    },
  });
  return { ...provider, credits: ask };
}
