import { type Registry, Counter, Histogram } from 'prom-client';
import type { LiveCounts } from '../websocket/socket.ts';
import { readCounter, readGauge } from './metrics.ts';
import type { CallbackResult } from '../webhooks/refusals.ts';
import type { CommitObserver } from '../store/writer-queue.ts';

/** What is open now, and what was sent. */
interface LiveSources {
  readonly counts: LiveCounts;
  readonly sockets: () => number;
  readonly streams: () => number;
  /** Over sockets and event streams. */
  readonly subscriptions: () => number;
  /** 0, 1 or 2. */
  readonly overloadLevel: () => number;
}

export function createLiveMetrics(registry: Registry, sources: LiveSources): void {
  const { counts } = sources;
  const gauges: readonly Reading[] = [
    ['sockets', 'Open WebSockets.', sources.sockets],
    ['event_streams', 'Open event streams over HTTP.', sources.streams],
    ['subscriptions', 'Active subscriptions, over sockets and event streams.', sources.subscriptions],
    [
      'subscription_groups',
      'Groups of subscriptions over sockets that share the execution of each change.',
      () => counts.groups,
    ],
    [
      'overload_level',
      '0: new requests are accepted; 1: operations, event streams, uploads and sockets are refused.',
      sources.overloadLevel,
    ],
  ];
  const counters: readonly Reading[] = [
    ['deliveries_total', 'Events that were written to sockets.', () => counts.deliveries],
    [
      'slow_reader_rests_total',
      'Times that a subscription paused because its socket was full; it caught up when there was room.',
      () => counts.rests,
    ],
    [
      'slow_reader_closes_total',
      'Sockets that were closed because their client read nothing for SLOW_READER_MS.',
      () => counts.slowCloses,
    ],
  ];
  for (const [name, help, read] of gauges) readGauge(registry, `kineograph_${name}`, help, read);
  for (const [name, help, read] of counters) readCounter(registry, `kineograph_${name}`, help, read);
}

type Reading = readonly [name: string, help: string, read: () => number];

/** Counts callbacks by their results, all of which are `known` from the start. */
export function createCallbackMetrics(
  registry: Registry,
  known: readonly CallbackResult[],
): (result: CallbackResult) => void {
  const callbacks = new Counter({
    name: 'kineograph_callbacks_total',
    help: 'Callbacks by result: applied, noted (nothing new, or a reason to query), or the check that refused them; with the response status.',
    labelNames: ['result', 'status'],
    registers: [registry],
  });
  for (const { result, status } of known) callbacks.labels(result, String(status)).inc(0);
  return ({ result, status }) => {
    callbacks.labels(result, String(status)).inc();
  };
}

const COMMIT_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const WRITES = [1, 2, 5, 10, 25, 50, 100, 250, 500];

export function createCommitMetrics(registry: Registry): CommitObserver {
  const registers = [registry];
  const time = new Histogram({
    name: 'kineograph_store_commit_duration_seconds',
    help: 'How long a batch of writes took, from its first statement to its commit.',
    buckets: COMMIT_S,
    registers,
  });
  const size = new Histogram({
    name: 'kineograph_store_commit_writes',
    help: 'Writes in one commit.',
    buckets: WRITES,
    registers,
  });
  const failures = new Counter({
    name: 'kineograph_store_commit_failures_total',
    help: 'Batches of writes that failed after all tries.',
    registers,
  });
  return {
    committed(ms, writes) {
      time.observe(ms / 1000);
      size.observe(writes);
    },
    failed: () => {
      failures.inc();
    },
  };
}
