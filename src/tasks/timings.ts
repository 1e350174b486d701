import type { CreateCap } from './store.ts';

/** Every duration and limit of a task's life; durations in ms. */
export interface Timings {
  /** How long createImageToVideo waits for the provider's answer before it answers with a SUBMITTING task. */
  readonly createWait: number;
  /** Until when a create call may stay unanswered. */
  readonly createTimeout: number;
  /** How much later than its create call could have ended a mark without an outcome is looked at. */
  readonly markMargin: number;
  /** How long "not now" answers are tried again, from the first one on. */
  readonly submitDeadline: number;
  /** How long a callback may still adopt a task whose create answer was lost. */
  readonly submissionGrace: number;
  /** From creation until a task without a final state is EXPIRED. */
  readonly taskDeadline: number;
  readonly createsPerWindow: number;
  /** The provider counts arrivals in 10 s and we count departures, hence a little more. */
  readonly createWindow: number;
  readonly queriesPerSecond: number;
  /** For each owner. */
  readonly createCaps: readonly CreateCap[];
  /** A queue longer than this takes no new tasks. */
  readonly queueLimit: number;
  /** How much longer than its mutation waits a hidden task is believed to have one. */
  readonly submitLease: number;
  /** How often a waiting mutation looks for an outcome that another process may have written. */
  readonly outcomeLook: number;
  readonly checkLease: number;
  readonly checkIntervalMin: number;
  readonly checkIntervalMax: number;
  /** A rejected callback with a right token brings the next check forward, at most once in this time. */
  readonly bringForwardEvery: number;
  readonly resendFirstMin: number;
  readonly resendFirstMax: number;
  readonly resendMax: number;
  /** The longest time between two looks for work that nobody announced. */
  readonly idleLook: number;
  /** How often it is looked how long videos took of late. */
  readonly estimateEvery: number;
  readonly refusalsKept: number;
  readonly slotsKept: number;
  /** After the clock was set or the process slept, so long no task is deleted or given up because of a time in it. */
  readonly clockDoubt: number;
  /** How long tasks are kept after their end; null for ever. No shorter than `taskDeadline`. */
  readonly tasksKept: number | null;
  /** How often it is looked for tasks that are kept no longer, and the pause after each of many deletions. */
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
