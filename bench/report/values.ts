import type { Sample } from '../run.ts';
import { GRAPHQL_PEERS } from '../scenarios/scenario.ts';
import type { SubjectName } from '../subjects/subject.ts';
import { figuresOf, ratioOf, spreadOf, type Choice } from './summary.ts';

/** What is held against a promise; null when it was not measured. */
export type Value = (samples: readonly Sample[]) => number | null;

export function toPeer(choice: Choice, peer: SubjectName): Value {
  return (samples) => ratioOf(samples, choice, 'K', peer);
}

/** Against whichever GraphQL peer is best at it. */
export function toBestPeer(choice: Choice): Value {
  return (samples) => {
    const ratios = GRAPHQL_PEERS.flatMap((peer) => ratioOf(samples, choice, 'K', peer) ?? []);
    return ratios.length === 0 ? null : Math.min(...ratios);
  };
}

export function ownFigure(choice: Choice): Value {
  return (samples) => spreadOf(figuresOf(samples, choice, 'K').values())?.median ?? null;
}

/** By how much a figure is less in one of two measurements than in the other, in percent. */
export function fall(choice: Omit<Choice, 'label'>, from: string, to: string): Value {
  return (samples) => {
    const before = ownFigure({ ...choice, label: from })(samples);
    const after = ownFigure({ ...choice, label: to })(samples);
    return before === null || after === null ? null : 100 * (1 - after / before);
  };
}

/** How many percent of the measurements came to their end: a process that died has no figures. */
export function finished(scenario: string, label: string): Value {
  return (samples) => {
    const own = samples.filter(
      (sample) => sample.subject === 'K' && sample.scenario === scenario && sample.label === label,
    );
    const ended = own.filter(({ figures }) => figures !== null);
    return own.length === 0 ? null : (100 * ended.length) / own.length;
  };
}
