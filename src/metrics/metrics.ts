import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/** What all metrics of one gateway are registered with. */
export interface Metrics {
  readonly registry: Registry;
  /** All of them in the text format of Prometheus, and the media type of that. */
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
      // Measuring the event loop takes a timer every 10 ms, and nothing ends it: not before somebody wants to know.
      if (!isBegun) collectDefaultMetrics({ register: registry });
      isBegun = true;
      return { type: registry.contentType, text: await registry.metrics() };
    },
  };
}
