import { Counter, Histogram, type Registry } from 'prom-client';
import { PROVIDER_ERROR_CODES } from '../tasks/failure.ts';
import { TASK_STATES, isTerminal, type AnnouncedRecord, type TaskState } from '../tasks/task.ts';
import type { UpdateSource } from '../tasks/timeline.ts';

const SOURCES: readonly UpdateSource[] = ['CREATE_ANSWER', 'CALLBACK', 'QUERY', 'GATEWAY'];
const ENDS: readonly TaskState[] = ['SUCCESS', 'FAIL'];

/** A video takes minutes; what is given up takes up to a day. */
const DURATIONS_S = [1, 5, 15, 30, 60, 120, 180, 300, 600, 1200, 3600, 14_400, 86_400];

/** Returns what is to be told the changes that this process has committed, each once. */
export function createTaskMetrics(registry: Registry): (changes: readonly AnnouncedRecord[]) => void {
  const registers = [registry];
  const changed = new Counter({
    name: 'kineograph_task_changes_total',
    help: 'Changes of tasks that this process wrote, by the state they led to and by who told of it first. A new task is announced as SUBMITTING, unless it is past that by then.',
    labelNames: ['state', 'source'],
    registers,
  });
  const ended = new Counter({
    name: 'kineograph_tasks_ended_total',
    help: 'Tasks that came to an end, by failure code (none for SUCCESS). One that failed because nothing was heard of it counts again when its true end arrives.',
    labelNames: ['state', 'code'],
    registers,
  });
  const inState = new Histogram({
    name: 'kineograph_task_state_duration_seconds',
    help: 'How long tasks were in a state that they have left.',
    labelNames: ['state'],
    buckets: DURATIONS_S,
    registers,
  });
  const inAll = new Histogram({
    name: 'kineograph_task_duration_seconds',
    help: 'How long tasks took from their creation to their end.',
    labelNames: ['state'],
    buckets: DURATIONS_S,
    registers,
  });
  // From zero on, so that the first one is seen to be one more.
  for (const state of ENDS) for (const source of SOURCES) changed.labels(state, source).inc(0);
  ended.labels('SUCCESS', 'none').inc(0);
  for (const code of PROVIDER_ERROR_CODES) ended.labels('FAIL', code).inc(0);
  for (const state of TASK_STATES) (isTerminal(state) ? inAll : inState).zero({ state });

  return (changes) => {
    for (const { completedAt, createdAt, failure, state, timeline } of changes) {
      const last = timeline.at(-1);
      const before = timeline.at(-2);
      changed.labels(state, last?.source ?? 'GATEWAY').inc();
      if (last && before && before.state !== 'FAIL')
        inState.labels(before.state).observe((last.at - before.at) / 1000);
      if (completedAt === null) continue;
      ended.labels(state, failure?.code ?? 'none').inc();
      inAll.labels(state).observe((completedAt - createdAt) / 1000);
    }
  };
}
