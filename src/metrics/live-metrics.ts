import type { Registry } from 'prom-client';
import type { LiveCounts } from '../live/live-counts.ts';
import { readCounter, readGauge } from './reading.ts';

/** What is open right now, and what was sent. */
export interface LiveSources {
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
  readGauge(registry, 'kineograph_sockets', 'WebSockets that are open.', sources.sockets);
  readGauge(
    registry,
    'kineograph_event_streams',
    'Answers over HTTP that are event streams and go on.',
    sources.streams,
  );
  readGauge(
    registry,
    'kineograph_subscriptions',
    'Subscriptions that are followed, over sockets and event streams.',
    sources.subscriptions,
  );
  readGauge(
    registry,
    'kineograph_subscription_groups',
    'Groups of subscriptions over sockets that share the execution of each change.',
    () => counts.groups,
  );
  readCounter(registry, 'kineograph_deliveries_total', 'Events that were written to sockets.', () => {
    return counts.deliveries;
  });
  readCounter(
    registry,
    'kineograph_slow_reader_rests_total',
    'Times that a subscription had to rest because its socket was full; it caught up when there was room.',
    () => counts.rests,
  );
  readCounter(
    registry,
    'kineograph_slow_reader_closes_total',
    'Sockets that were closed because their client took nothing for SLOW_READER_MS.',
    () => counts.slowCloses,
  );
  readGauge(
    registry,
    'kineograph_overload_level',
    '0: new requests are accepted; 1: operations, event streams, uploads and sockets are refused.',
    sources.overloadLevel,
  );
}
