import { least, most, type Bound, type Goal } from './goal.ts';
import type { Topic } from './topic.ts';
import { finished, ownFigure, type Value } from './values.ts';

/**
 * What may be held in memory for one of them, in KB: the 64 KiB that a socket of the gateway may have waiting, and the 100
 * states of 5 kB that are read from its store at once. Without a bound it would be all that the kernel does not take.
 */
const MEMORY_EACH = 64 * 1.024 + 100 * 5;

/** A must with one of them, and the goal with a thousand. */
function promise(what: Topic, unit: string, bound: Bound, valueOf: (label: string) => Value): Goal[] {
  return [
    { what, unit: `${unit}, 1 of them`, must: bound, goal: null, value: valueOf('1 stopped') },
    { what, unit: `${unit}, 1,000 of them`, must: null, goal: bound, value: valueOf('1,000 stopped') },
  ];
}

const figure =
  (name: string) =>
  (label: string): Value =>
    ownFigure({ scenario: 'stalled', label, figure: name });

export const STALLED_GOALS: readonly Goal[] = [
  ...promise('stalled readers: the process lives', '% of runs', least(100), (label) =>
    finished('stalled', label),
  ),
  ...promise('stalled readers: the others are unharmed', '× before', least(0.8), figure('× before')),
  {
    what: 'stalled readers: memory is bounded',
    // What is held for one is less than what the heap moves by on its own.
    unit: 'KB for each of 1,000',
    must: most(MEMORY_EACH),
    goal: null,
    value: figure('KB grown for each')('1,000 stopped'),
  },
  ...promise(
    'stalled readers: they get the newest states when they read again',
    's until then',
    most(90),
    figure('seconds to catch up'),
  ),
];
