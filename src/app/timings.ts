import type { Config } from '../config/config.ts';
import type { CreateCap } from '../tasks/store.ts';
import { DEFAULT_TIMINGS, type Timings } from '../tasks/timings.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** What the environment says of a task's durations and limits, over the defaults. */
export function timingsOf(config: Config): Timings {
  return {
    ...DEFAULT_TIMINGS,
    createWait: config.createWaitMs,
    createTimeout: config.createTimeoutMs,
    submitDeadline: config.submitDeadlineMs,
    submissionGrace: config.submissionGraceMs,
    taskDeadline: config.taskDeadlineMs,
    tasksKept: config.taskRetentionDays === null ? null : config.taskRetentionDays * DAY_MS,
    createsPerWindow: config.kieCreatesPer10s,
    queriesPerSecond: config.kieQueriesPerS,
    createCaps: [...capOf(config.maxCreatesPerMinute, MINUTE_MS), ...capOf(config.maxCreatesPerDay, DAY_MS)],
  };
}

function capOf(limit: number | null, windowMs: number): readonly CreateCap[] {
  return limit === null ? [] : [{ limit, windowMs }];
}
