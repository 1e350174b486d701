import type { Sample } from '../run.ts';
import { GRAPHQL_PEERS } from '../scenarios/scenario.ts';
import type { SubjectName } from '../subjects/subject.ts';
import { figuresOf, ratioOf, spreadOf, type Choice } from './summary.ts';

/** Something that was promised of a figure. */
export interface Goal {
  readonly what: string;
  readonly must: Bound | null;
  readonly goal: Bound | null;
  /** null when it was not measured. */
  readonly value: (samples: readonly Sample[]) => number | null;
  /** What the value counts. */
  readonly unit: string;
}

export interface Bound {
  readonly at: 'least' | 'most';
  readonly value: number;
}

const least = (value: number): Bound => ({ at: 'least', value });
const most = (value: number): Bound => ({ at: 'most', value });

type Value = Goal['value'];

function toPeer(choice: Choice, peer: SubjectName): Value {
  return (samples) => ratioOf(samples, choice, 'K', peer);
}

/** Against whichever GraphQL peer is best at it. */
function toBestPeer(choice: Choice): Value {
  return (samples) => {
    const ratios = GRAPHQL_PEERS.flatMap((peer) => ratioOf(samples, choice, 'K', peer) ?? []);
    return ratios.length === 0 ? null : Math.min(...ratios);
  };
}

function ownFigure(choice: Choice): Value {
  return (samples) => spreadOf(figuresOf(samples, choice, 'K').values())?.median ?? null;
}

function fanOutTo(subscribers: string): Goal[] {
  const choice = { scenario: 'fan-out', label: `${subscribers} subscribers`, figure: 'deliveries/s' };
  const what = `fan-out to ${subscribers} subscribers`;
  return [
    { what, unit: '× A', must: least(5), goal: null, value: toPeer(choice, 'A') },
    { what, unit: '× D', must: least(0.9), goal: null, value: toPeer(choice, 'D') },
    { what, unit: '× the best GraphQL peer', must: null, goal: least(5), value: toBestPeer(choice) },
  ];
}

/** By how much the rate falls from 100 to 10,000 subscribers, in percent. */
const fall: Value = (samples) => {
  const rate = (label: string): number | null =>
    ownFigure({ scenario: 'fan-out', label, figure: 'deliveries/s' })(samples);
  const [few, many] = [rate('100 subscribers'), rate('10,000 subscribers')];
  return few === null || many === null ? null : 100 * (1 - many / few);
};

const latency = (figure: string): Value => toPeer({ scenario: 'latency', figure }, 'D');
const bursts: Choice = { scenario: 'bursts', figure: 'deliveries/s' };
const perTask: Choice = { scenario: 'per-task', figure: 'callbacks/s' };
const query: Choice = { scenario: 'http-query', figure: 'requests/s' };
const mutation: Choice = { scenario: 'http-mutation', figure: 'requests/s' };
const memory: Choice = { scenario: 'memory', figure: 'KB each' };
const fresh: Choice = { scenario: 'start-up', label: 'fresh', figure: 'ms' };
const caughtUp: Choice = { scenario: 'stalled', figure: 'seconds to catch up' };

export const GOALS: readonly Goal[] = [
  ...fanOutTo('1,000'),
  ...fanOutTo('5,000'),
  { what: 'callbacks in bursts', unit: '× D', must: null, goal: least(3), value: toPeer(bursts, 'D') },
  { what: 'from 100 to 10,000 subscribers', unit: '% slower', must: most(25), goal: most(15), value: fall },
  {
    what: 'p50 at 10,000 deliveries/s',
    unit: '× D',
    must: most(1.3),
    goal: most(1.1),
    value: latency('p50 ms'),
  },
  {
    what: 'p99 at 10,000 deliveries/s',
    unit: '× D',
    must: most(2),
    goal: most(1.3),
    value: latency('p99 ms'),
  },
  {
    what: 'one subscriber for each task',
    unit: '× A',
    must: least(1.2),
    goal: least(2),
    value: toPeer(perTask, 'A'),
  },
  { what: '`task(id)` over HTTP', unit: '× A', must: least(2), goal: null, value: toPeer(query, 'A') },
  { what: '`task(id)` over HTTP', unit: '× B', must: null, goal: least(1), value: toPeer(query, 'B') },
  { what: 'mutation, durable', unit: '× A', must: least(1), goal: least(2), value: toPeer(mutation, 'A') },
  { what: 'idle subscription', unit: 'KB', must: most(18), goal: most(13), value: ownFigure(memory) },
  {
    what: 'a stalled reader gets the newest states when it reads again',
    unit: 's until then',
    must: most(90),
    goal: null,
    value: ownFigure({ ...caughtUp, label: '1 stopped' }),
  },
  {
    what: 'the same with 1,000 of them',
    unit: 's until then',
    must: null,
    goal: most(90),
    value: ownFigure({ ...caughtUp, label: '1,000 stopped' }),
  },
  {
    what: 'start to first answered query',
    unit: 'ms',
    must: most(1200),
    goal: most(600),
    value: ownFigure(fresh),
  },
];
