import { VARIABLES, type Variable } from '../../src/config/variables.ts';

/** One variable as people read about it. */
export interface ListedVariable extends Variable {
  readonly name: string;
  /** As it would be written in the environment; null when the variable is unset by default. */
  readonly default: string | null;
}

/** Every variable in its group, both in the order of their declarations. */
export function variablesByGroup(): ReadonlyMap<string, readonly ListedVariable[]> {
  const groups = new Map<string, ListedVariable[]>();
  for (const [name, variable] of Object.entries<Variable>(VARIABLES)) {
    const value = variable.kind.parse(undefined);
    const isSet = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    const listed = { name, default: isSet ? String(value) : null, ...variable };
    groups.set(variable.group, [...(groups.get(variable.group) ?? []), listed]);
  }
  return groups;
}
