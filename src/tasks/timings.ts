import type { ProviderLimits } from './provider.ts';
import type { CreateCap } from './store.ts';

/** Durations (in ms) and limits of tasks. */
export interface Timings extends ProviderLimits {
  /** How long createImageToVideo waits for an outcome before it returns a SUBMITTING task. */
  readonly createWait: number;
  /** Timeout of a create call. */
  readonly createTimeout: number;
  /** How long after the timeout a mark without an outcome is checked. */
  readonly markMargin: number;
  /** How long "not now" is retried, from the first one on. */
  readonly submitDeadline: number;
  /** How long a callback may adopt a task whose create response was lost. */
  readonly submissionGrace: number;
  /** Age at which an unfinished task fails with EXPIRED. */
  readonly taskDeadline: number;
  /** Per owner. */
  readonly createCaps: readonly CreateCap[];
  /** Longest accepted waiting time in the queue. */
  readonly queueLimit: number;
  /** How long a hidden task is kept after its mutation must have returned. */
  readonly submitLease: number;
  /** How often a waiting mutation reads the store, because another replica may have stored the outcome. */
  readonly outcomeLook: number;
  readonly checkLease: number;
  readonly checkIntervalMin: number;
  readonly checkIntervalMax: number;
  /** Minimum interval between checks of a task that unsigned callbacks request. */
  readonly bringForwardEvery: number;
  readonly resendFirstMin: number;
  readonly resendFirstMax: number;
  readonly resendMax: number;
  /** Longest pause between two claims. */
  readonly idleLook: number;
  /** How often the duration estimate is refreshed. */
  readonly estimateEvery: number;
  readonly refusalsKept: number;
  readonly slotsKept: number;
  /** How long deadlines are suspended after the clock was set or the process slept. */
  readonly clockDoubt: number;
  /** Retention of ended tasks; null for ever. At least `taskDeadline`. */
  readonly tasksKept: number | null;
  /** Interval of deletions of old tasks, and the pause between batches. */
  readonly retentionLook: number;
  readonly retentionPause: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const DEFAULT_TIMINGS: Timings = {
  createWait: 15 * SECOND,
  createTimeout: 60 * SECOND,
  markMargin: 30 * SECOND,
  submitDeadline: 15 * MINUTE,
  submissionGrace: 30 * MINUTE,
  taskDeadline: 24 * HOUR,
  createsPerWindow: 20,
  createWindow: 10_500,
  queriesPerSecond: 10,
  createCaps: [],
  queueLimit: 10 * MINUTE,
  submitLease: 10 * SECOND,
  outcomeLook: 1 * SECOND,
  checkLease: 30 * SECOND,
  checkIntervalMin: 5 * SECOND,
  checkIntervalMax: 5 * MINUTE,
  bringForwardEvery: 10 * SECOND,
  resendFirstMin: 1 * SECOND,
  resendFirstMax: 3 * SECOND,
  resendMax: 60 * SECOND,
  idleLook: 5 * SECOND,
  estimateEvery: 10 * SECOND,
  refusalsKept: 24 * HOUR,
  slotsKept: 10 * MINUTE,
  clockDoubt: 1 * HOUR,
  tasksKept: null,
  retentionLook: 1 * MINUTE,
  retentionPause: 100,
};
