import { archive } from './archive.ts';
import { bursts } from './bursts.ts';
import { fanOut } from './fan-out.ts';
import { httpMutation } from './http-mutation.ts';
import { httpQuery } from './http-query.ts';
import { latency } from './latency.ts';
import { memory } from './memory.ts';
import { oneTask } from './one-task.ts';
import { perTask } from './per-task.ts';
import type { Scenario } from './scenario.ts';
import { postgres } from './postgres.ts';
import { stalled } from './stalled.ts';
import { sustained } from './sustained.ts';
import { startUp } from './start-up.ts';

/** In the order of the report. */
export const SCENARIOS: readonly Scenario[] = [
  fanOut,
  bursts,
  latency,
  oneTask,
  perTask,
  httpQuery,
  httpMutation,
  memory,
  stalled,
  startUp,
  sustained,
  archive,
  postgres,
];
