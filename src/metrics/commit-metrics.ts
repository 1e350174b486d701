import { Counter, Histogram, type Registry } from 'prom-client';
import type { CommitObserver } from '../store/commit-observer.ts';

const COMMIT_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const WRITES = [1, 2, 5, 10, 25, 50, 100, 250, 500];

/** Measures the writes to the store. */
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
    help: 'How many writes shared a commit.',
    buckets: WRITES,
    registers,
  });
  const failures = new Counter({
    name: 'kineograph_store_commit_failures_total',
    help: 'Batches of writes that the store did not take, after all tries.',
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
