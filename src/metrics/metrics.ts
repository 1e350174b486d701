import { Gauge, Registry, collectDefaultMetrics, Counter } from 'prom-client';

export interface Metrics {
  readonly registry: Registry;
  /** All metrics in the text format of Prometheus. */
  readonly scrape: () => Promise<Scrape>;
}

export interface Scrape {
  readonly type: string;
  readonly text: string;
}

export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  new Gauge({
    name: 'kineograph_build_info',
    help: 'Always 1; its labels tell the version of Kineograph and of Node.js.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.versions.node }, 1);
  let isBegun = false;

  return {
    registry,
    async scrape() {
      // Not before the first scrape: it measures the event loop with a timer every 10 ms that never stops.
      if (!isBegun) collectDefaultMetrics({ register: registry });
      isBegun = true;
      return { type: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** A gauge that is read at each scrape; absent while it reads null. */
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

/** A counter that is read at each scrape. */
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
