import type { Needs, Subject, SubjectName } from '../subjects/subject.ts';

export interface Size {
  readonly isQuick: boolean;
}

/** What one measurement gave, by the name of the figure with its unit. */
export type Figures = Readonly<Record<string, number>>;

/** One row of a table: a load that every subject gets, in alternating rounds. */
export interface Case {
  /** What it has more or less of than its neighbours, or '' for the only one. */
  readonly label: string;
  readonly subjects: readonly SubjectName[];
  readonly needs: Needs;
  /** Given a subject that was started for this measurement alone. */
  measure(subject: Subject): Promise<Figures>;
}

export interface Scenario {
  /** As the command line knows it. */
  readonly name: string;
  readonly title: string;
  /** The figure that is compared, and whether more of it is better. */
  readonly figure: string;
  readonly better: 'more' | 'less';
  /** How it is loaded and what to know about the figures, for the reader of the report. */
  readonly notes: string;
  cases(size: Size): readonly Case[];
}

export const GRAPHQL_PEERS: readonly SubjectName[] = ['A', 'B', 'C'];

/** In a hurry only those that goals name. */
export function graphqlPeers({ isQuick }: Size): readonly SubjectName[] {
  return isQuick ? ['A', 'B'] : GRAPHQL_PEERS;
}

export function everyone(size: Size): readonly SubjectName[] {
  return [...graphqlPeers(size), 'D', 'K'];
}

/** The same for most scenarios, so that the gateway's tasks are made once. */
export function usualNeeds({ isQuick }: Size): Needs {
  return isQuick ? { tasks: 1500, strangers: 500 } : { tasks: 6000, strangers: 1500 };
}
