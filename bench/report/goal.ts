import type { Topic } from './topic.ts';
import type { Value } from './values.ts';

/** Something that was promised of a figure. */
export interface Goal {
  readonly what: Topic;
  readonly must: Bound | null;
  readonly goal: Bound | null;
  readonly value: Value;
  /** What the value counts. */
  readonly unit: string;
}

/** The same, once it was measured. */
export type Measured = Omit<Goal, 'value'> & { readonly value: number | null };

export interface Bound {
  readonly at: 'least' | 'most';
  readonly value: number;
}

export const least = (value: number): Bound => ({ at: 'least', value });
export const most = (value: number): Bound => ({ at: 'most', value });

export function isReached({ at, value: bound }: Bound, value: number): boolean {
  return at === 'least' ? value >= bound : value <= bound;
}
