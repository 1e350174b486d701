import { environment } from './environment.ts';
import { factsOf, type Facts } from './facts.ts';

/** One variable as people read about it. */
export interface Variable extends Facts {
  readonly name: string;
  /** As it would be written in the environment; null when the variable is unset by default. */
  readonly default: string | null;
}

/** Every variable of the schema, in its order, for `.env.example` and the docs. */
export function listVariables(): readonly Variable[] {
  return Object.entries(environment.shape).map(([name, variable]) => {
    const value = variable.parse(undefined);
    const isUnset = value === null || typeof value === 'object';
    return { name, default: isUnset ? null : String(value), ...factsOf(variable) };
  });
}

/** The same in their groups, both in the order of the schema. */
export function variablesByGroup(): ReadonlyMap<string, readonly Variable[]> {
  const groups = new Map<string, Variable[]>();
  for (const variable of listVariables()) {
    groups.set(variable.group, [...(groups.get(variable.group) ?? []), variable]);
  }
  return groups;
}
