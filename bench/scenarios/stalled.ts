import { openCallers } from '../client/callers.ts';
import { openDividedAudience } from '../client/divided-audience.ts';
import { warmUp, WARMED_UP } from '../client/warm-up.ts';
import type { Subject, SubjectName } from '../subjects/subject.ts';
import { kernelBytes } from '../support/kernel-bytes.ts';
import { residentKiB } from '../support/processes.ts';
import { GRAPHQL_PEERS, type Figures, type Scenario } from './scenario.ts';

const SPARE = 10;
const WARM_UP = 50;
/** Three bytes each, so that every message has some 5 kB and the kernel's own buffers are soon full. */
const PROMPT = '雪'.repeat(1500);

interface Load {
  readonly subjects: readonly SubjectName[];
  /** How many read all the time, and how many stop. */
  readonly readers: number;
  readonly stopped: number;
  /** How many tasks change before that, and while they do not read. */
  readonly before: number;
  readonly during: number;
}

/** The kernel takes some megabytes for each socket; only what comes on top is left to the server. */
const FULL: readonly Load[] = [
  { subjects: [...GRAPHQL_PEERS, 'K'], readers: 100, stopped: 1, before: 600, during: 2200 },
  { subjects: ['K'], readers: 100, stopped: 1000, before: 100, during: 700 },
];
const QUICK: readonly Load[] = [
  { subjects: ['K'], readers: 20, stopped: 1, before: 200, during: 1000 },
  { subjects: ['K'], readers: 20, stopped: 100, before: 200, during: 1000 },
];

export const stalled: Scenario = {
  name: 'stalled',
  title: 'Subscribers that stop reading',
  figure: 'deliveries/s to the others',
  better: 'more',
  notes: `100 subscribers of \`tasksUpdated\` go on reading, the others stop; messages of 5 kB. All deliveries to the readers count; "× before" compares them with those before anybody stopped. Memory is what the server grew by between the ends of the two measurements. "Held back" is what those who stopped should have got and the kernel did not take: a server keeps it in memory, or knows that it is in its store. Then they read again, and the newest state of every task has to reach each of them. ${WARMED_UP}; then ${WARM_UP} callbacks to all subscribers warm up.`,
  cases: ({ isQuick }) => {
    const loads = isQuick ? QUICK : FULL;
    // The same for all, so that the gateway's tasks are made once.
    const tasks = SPARE + WARM_UP + Math.max(...loads.map(({ before, during }) => before + during));
    const needs = { tasks, strangers: isQuick ? 300 : 700, revisions: 100, prompt: PROMPT };
    return loads.map((load) => ({
      label: `${load.stopped.toLocaleString('en')} stopped`,
      subjects: load.subjects,
      needs,
      measure: (subject) => measure(subject, load),
    }));
  },
};

async function measure(subject: Subject, { before, during, readers, stopped }: Load): Promise<Figures> {
  const callers = await openCallers(subject, 4);
  await warmUp(subject, callers);
  const spare = subject.tasks.slice(0, SPARE);
  const audience = await openDividedAudience(subject, { readers, others: stopped }, callers, spare);
  let used = SPARE;
  const change = (count: number) => audience.change(subject.tasks.slice(used, (used += count)));
  const memory = (): number => subject.pids.reduce((sum, pid) => sum + residentKiB(pid), 0);

  await (await change(WARM_UP)).reachOthers();
  const calm = await change(before);
  await calm.reachOthers();
  const memoryBefore = memory();
  audience.stop();
  const { bytes, perSecond, reachOthers } = await change(during);
  const grown = (memory() - memoryBefore) * 1.024;
  const heldBack = during * bytes - kernelBytes(subject.ports) / stopped;
  audience.resume();
  const caughtUp = await reachOthers();
  callers.end();
  audience.end();
  return {
    'deliveries/s to the others': perSecond,
    '× before': perSecond / calm.perSecond,
    'MB grown': grown / 1000,
    'KB grown for each': grown / stopped,
    'KB held back for each': heldBack / 1000,
    'seconds to catch up': caughtUp,
    'sockets closed': audience.lost,
  };
}
