import SchemaBuilder from '@pothos/core';
import type { Context } from '../resolvers/context.ts';

/** What the schema is built of; the types themselves each have a file of their own. */
export const builder = new SchemaBuilder<{
  Context: Context;
  DefaultFieldNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    /** In resolvers ms since the epoch. */
    DateTime: { Input: number; Output: number };
    SafeInt: { Input: number; Output: number };
  };
}>({ defaultFieldNullability: false });
