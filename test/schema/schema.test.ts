import {
  buildSchema,
  findBreakingChanges,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  isUnionType,
  printSchema,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { schema } from '../../src/schema/schema.ts';

it('schema.graphql is what the code makes', () => {
  const file = readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8');
  const printed = `${printSchema(schema)}\n`;
  expect(printed, 'schema.graphql differs from the code. Update it with: npm run schema').toBe(file);
});

const contractText = readFileSync(new URL('./contract.graphql', import.meta.url), 'utf8');
const contract = buildSchema(contractText);

function typesOf(of: GraphQLSchema): GraphQLNamedType[] {
  return Object.values(of.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
  );
}

/** Everything that a client can rely on in a type, one line for each. */
function promisesOf(type: GraphQLNamedType): string[] {
  const lines = [`${type.constructor.name} ${type.name}`];
  if (isEnumType(type)) lines.push(...type.getValues().map(({ name }) => `${type.name}.${name}`));
  if (isUnionType(type)) lines.push(...type.getTypes().map(({ name }) => `${type.name} = ${name}`));
  if (isObjectType(type) || isInterfaceType(type)) {
    lines.push(...type.getInterfaces().map(({ name }) => `${type.name} implements ${name}`));
    for (const field of Object.values(type.getFields())) {
      const place = `${type.name}.${field.name}`;
      lines.push(
        `${place}: ${String(field.type)}`,
        ...field.args.map((arg) => `${place}(${inputLine(arg)})`),
      );
    }
  }
  if (isInputObjectType(type)) {
    lines.push(...Object.values(type.getFields()).map((field) => `${type.name}.${inputLine(field)}`));
  }
  return lines;
}

function inputLine(input: { name: string; type: unknown; defaultValue?: unknown }): string {
  const { defaultValue, name, type } = input;
  return `${name}: ${String(type)}${defaultValue === undefined ? '' : ` = ${JSON.stringify(defaultValue)}`}`;
}

/** What the contract promises and a schema does not keep. */
function brokenPromises(given: GraphQLSchema): string[] {
  const kept = new Set(typesOf(given).flatMap(promisesOf));
  return [
    ...typesOf(contract)
      .flatMap(promisesOf)
      .filter((promise) => !kept.has(promise)),
    ...findBreakingChanges(contract, given).map(({ description }) => description),
  ];
}

it('the schema keeps the contract: nothing is renamed, removed, or of another type or nullability', () => {
  expect(brokenPromises(schema)).toEqual([]);
});

it.each([
  ['a field is renamed', 'creditsRemaining: Float', 'credits: Float'],
  ['a field becomes nullable', 'videos: [Video!]!', 'videos: [Video]!'],
  ['a nullable field promises more than it may keep', 'failure: TaskFailure', 'failure: TaskFailure!'],
  ['an argument has another type', 'after: SafeInt): Task!', 'after: Int): Task!'],
  ['a default changes', 'first: Int = 20', 'first: Int = 50'],
  ['an enum value goes', '  QUEUING\n', ''],
  ['a member of a union goes', '  | ProviderError\n', ''],
  ['an interface goes', 'type ProviderError implements UserError', 'type ProviderError'],
  ['an input field is required', 'promptOptimizer: Boolean\n  idem', 'promptOptimizer: Boolean!\n  idem'],
  ['a new argument is required', 'task(id: ID!)', 'task(id: ID!, owner: ID!)'],
  ['a new input field is required', 'idempotencyKey: String', 'idempotencyKey: String\n  frames: Int!'],
])('the contract is broken when %s', (_, from, to) => {
  expect(contractText).toContain(from);
  expect(brokenPromises(buildSchema(contractText.replace(from, to)))).not.toEqual([]);
});

it.each([
  ['field', 'account: Account!', 'account: Account!\n  version: String!'],
  ['optional argument', 'task(id: ID!)', 'task(id: ID!, owner: ID)'],
  ['optional input field', 'idempotencyKey: String', 'idempotencyKey: String\n  frames: Int'],
  ['type', 'type Account {', 'type Upload {\n  url: String!\n}\n\ntype Account {'],
])('the contract leaves room for a new %s', (_, from, to) => {
  expect(contractText).toContain(from);
  expect(brokenPromises(buildSchema(contractText.replace(from, to)))).toEqual([]);
});

/** A type and everything in it that a description can be written for, with its place. */
function partsOf(type: GraphQLNamedType): (readonly [place: string, description: unknown])[] {
  const within = (
    parent: string,
    parts: readonly { readonly name: string; readonly description?: string | null | undefined }[],
  ) => parts.map(({ description, name }) => [`${parent}.${name}`, description] as const);
  const itself = [type.name, type.description] as const;
  if (isEnumType(type)) return [itself, ...within(type.name, type.getValues())];
  if (isInputObjectType(type)) return [itself, ...within(type.name, Object.values(type.getFields()))];
  if (!isObjectType(type) && !isInterfaceType(type)) return [itself];
  const fields = Object.values(type.getFields());
  const args = fields.flatMap((field) => within(`${type.name}.${field.name}`, field.args));
  return [itself, ...within(type.name, fields), ...args];
}

it('the schema describes everything, down to fields, arguments, input fields and enum values', () => {
  const parts = typesOf(schema).flatMap(partsOf);
  const silent = parts.filter(
    ([, description]) => typeof description !== 'string' || description.trim() === '',
  );
  expect(silent.map(([place]) => `Add a description to ${place} in src/schema/`)).toEqual([]);
  expect(parts.map(([place]) => place)).toEqual(
    expect.arrayContaining([
      ...['DateTime', 'CreateImageToVideoResult', 'UserError.message', 'Task.id', 'TaskState.FAIL'],
      ...['Query.tasks.first', 'CreateImageToVideoInput.prompt'],
    ]),
  );
});
