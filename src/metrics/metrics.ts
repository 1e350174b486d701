import { Gauge, Registry, collectDefaultMetrics, Counter } from 'prom-client';

export type Metrics = ReturnType<typeof createMetrics>;

/** The metrics of one gateway; `scrape` tells them in the text format of Prometheus, with its media type. */
export function createMetrics(version: string) {
  const registry = new Registry();
  new Gauge({
    name: 'kineograph_build_info',
    help: 'Always 1; the labels are the versions of Kineograph and Node.js.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.versions.node }, 1);
  let isBegun = false;

  return {
    registry,
    async scrape() {
      // This starts a timer of 10 ms that nothing ends, so it waits for the first scrape.
      if (!isBegun) collectDefaultMetrics({ register: registry });
      isBegun = true;
      return { type: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** A gauge that is read at each scrape; absent while the value is null. */
export function readGauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number | null | Promise<number | null>,
): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    async collect() {
      const value = await read();
      if (value === null) this.remove();
      else this.set(value);
    },
  });
}

/** A counter that is kept elsewhere and read at each scrape. */
export function readCounter(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

/** The store is read at most this often, in ms, whatever the number of scrapes. */
const KEPT_MS = 5000;

/** Keeps an answer for some seconds; null while the store cannot be read. */
export function keptRead<T>(read: () => Promise<T>): () => Promise<T | null> {
  let kept: { readonly at: number; readonly answer: Promise<T | null> } | null = null;
  return () => {
    const now = performance.now();
    if (!kept || now - kept.at >= KEPT_MS) kept = { at: now, answer: read().catch(() => null) };
    return kept.answer;
  };
}
