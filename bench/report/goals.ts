import { least, most, type Goal } from './goal.ts';
import { STALLED_GOALS } from './stalled-goals.ts';
import type { Choice } from './summary.ts';
import type { Topic } from './topic.ts';
import { fall, ownFigure, toBestPeer, toPeer } from './values.ts';

const deliveries = { scenario: 'fan-out', figure: 'deliveries/s' };
const bursts: Choice = { scenario: 'bursts', figure: 'deliveries/s' };
const perTask: Choice = { scenario: 'per-task', figure: 'callbacks/s' };
const query: Choice = { scenario: 'http-query', figure: 'requests/s' };
const mutation: Choice = { scenario: 'http-mutation', figure: 'requests/s' };
const memory: Choice = { scenario: 'memory', figure: 'KB each' };
const fresh: Choice = { scenario: 'start-up', label: 'fresh', figure: 'ms' };

function fanOutTo(subscribers: '1,000' | '5,000'): Goal[] {
  const choice = { ...deliveries, label: `${subscribers} subscribers` };
  const what: Topic = `fan-out to ${subscribers} subscribers`;
  return [
    { what, unit: '× A', must: least(5), goal: null, value: toPeer(choice, 'A') },
    { what, unit: '× D', must: least(0.9), goal: null, value: toPeer(choice, 'D') },
    { what, unit: '× the best GraphQL peer', must: null, goal: least(5), value: toBestPeer(choice) },
  ];
}

function latency(percentile: 'p50' | 'p99', must: number, goal: number): Goal {
  return {
    what: `${percentile} at 10,000 deliveries/s`,
    unit: '× D',
    must: most(must),
    goal: most(goal),
    value: toPeer({ scenario: 'latency', figure: `${percentile} ms` }, 'D'),
  };
}

/** Acceptance of the archive: what clients wait for takes little longer meanwhile. */
function whileCopying(requests: 'creates' | 'callbacks'): Goal[] {
  return (['p50', 'p99'] as const).map((share) => ({
    what: `${requests} while videos are copied`,
    unit: `× ${share} without`,
    must: most(1.2),
    goal: null,
    value: ownFigure({ scenario: 'archive', figure: `${requests} ${share} ×` }),
  }));
}

export const GOALS: readonly Goal[] = [
  ...fanOutTo('1,000'),
  ...fanOutTo('5,000'),
  { what: 'callbacks in bursts', unit: '× D', must: null, goal: least(3), value: toPeer(bursts, 'D') },
  {
    what: 'from 100 to 10,000 subscribers',
    unit: '% slower',
    must: most(25),
    goal: most(15),
    value: fall(deliveries, '100 subscribers', '10,000 subscribers'),
  },
  latency('p50', 1.3, 1.1),
  latency('p99', 2, 1.3),
  {
    what: 'one subscriber for each task',
    unit: '× A',
    must: least(1.2),
    goal: least(2),
    value: toPeer(perTask, 'A'),
  },
  { what: '`task(id)` over HTTP', unit: '× A', must: least(1.7), goal: null, value: toPeer(query, 'A') },
  { what: '`task(id)` over HTTP', unit: '× B', must: null, goal: least(1), value: toPeer(query, 'B') },
  { what: 'mutation, durable', unit: '× A', must: least(1), goal: least(2), value: toPeer(mutation, 'A') },
  { what: 'idle subscription', unit: 'KB', must: most(18), goal: most(13), value: ownFigure(memory) },
  ...STALLED_GOALS,
  ...whileCopying('creates'),
  ...whileCopying('callbacks'),
  {
    what: 'start to first answered query',
    unit: 'ms',
    must: most(1200),
    goal: most(600),
    value: ownFigure(fresh),
  },
];
