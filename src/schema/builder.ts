import SchemaBuilder from '@pothos/core';
import type { Context } from '../resolvers/context.ts';
import { GraphQLError, Kind, type ValueNode } from 'graphql';

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

builder.scalarType('DateTime', {
  description: 'RFC 3339 date-time in UTC with milliseconds, for example 2026-11-22T08:00:00.000Z.',
  serialize: (milliseconds) => new Date(milliseconds).toISOString(),
  parseValue: parseDateTime,
});

builder.scalarType('SafeInt', {
  description: 'An integer up to 2^53 - 1, serialized as a JSON number.',
  serialize: (value) => value,
  parseValue: parseSafeInt,
  parseLiteral: (node) => parseSafeInt(integerOf(node), node),
});

function parseDateTime(value: unknown): number {
  const milliseconds = typeof value === 'string' ? Date.parse(value) : NaN;
  if (Number.isNaN(milliseconds))
    throw new GraphQLError('A DateTime is an RFC 3339 string such as "2026-11-22T08:00:00.000Z".');
  return milliseconds;
}

function parseSafeInt(value: unknown, node?: ValueNode): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw new GraphQLError(
      'A SafeInt is a whole number between -(2^53 - 1) and 2^53 - 1, without quotes.',
      node && { nodes: node },
    );
  return value;
}

function integerOf(node: ValueNode): unknown {
  return node.kind === Kind.INT ? Number(node.value) : undefined;
}

/** The values of an enum from their descriptions: a value without one does not compile. */
export function enumValues<Name extends string>(
  descriptions: Readonly<Record<Name, string>>,
): Record<Name, { description: string }> {
  const entries = Object.entries<string>(descriptions);
  return Object.fromEntries(entries.map(([name, description]) => [name, { description }])) as Record<
    Name,
    { description: string }
  >;
}
