import { z } from 'zod';

/** What people are told about a variable, beside its type. */
export interface Facts {
  readonly group: string;
  readonly description: string;
  readonly example: string;
  /** Its value is never printed. */
  readonly secret?: true;
}

/** Where the schema keeps the facts of its variables. */
export const facts = z.registry<Facts>();

/** The facts of one variable. Throws if it was declared without. */
export function factsOf(variable: z.core.$ZodType): Facts {
  const found = facts.get(variable);
  if (found === undefined) throw new Error('A variable of the environment is declared without its facts');
  return found;
}
