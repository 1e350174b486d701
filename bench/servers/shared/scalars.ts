import { GraphQLScalarType } from 'graphql';

/** Kept as milliseconds, shown as RFC 3339. */
export const DateTime = new GraphQLScalarType({
  name: 'DateTime',
  serialize: (value) => new Date(value as number).toISOString(),
});

export const SafeInt = new GraphQLScalarType({ name: 'SafeInt', serialize: (value) => value });
