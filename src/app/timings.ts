import type { Config } from '../config.ts';
import { DEFAULT_TIMINGS, type Timings } from '../tasks/timings.ts';

/** What the environment says of a task's durations and limits, over the defaults. */
export function timingsOf(config: Config): Timings {
  return {
    ...DEFAULT_TIMINGS,
    createWait: config.createWaitMs,
    createTimeout: config.createTimeoutMs,
    submitDeadline: config.submitDeadlineMs,
    submissionGrace: config.submissionGraceMs,
    taskDeadline: config.taskDeadlineMs,
    createsPerWindow: config.kieCreatesPer10s,
    queriesPerSecond: config.kieQueriesPerS,
  };
}
