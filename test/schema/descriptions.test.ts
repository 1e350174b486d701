import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  type GraphQLNamedType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/schema.ts';

interface Described {
  readonly where: string;
  readonly description: string | null | undefined;
}

const ours = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);

/** A type and everything in it that a description can be written for. */
function partsOf(type: GraphQLNamedType): Described[] {
  const itself = { where: type.name, description: type.description };
  if (isEnumType(type)) return [itself, ...type.getValues().map((value) => within(type, value))];
  if (isInputObjectType(type)) {
    return [itself, ...Object.values(type.getFields()).map((field) => within(type, field))];
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return [itself];
  const fields = Object.values(type.getFields()).flatMap((field) => [
    within(type, field),
    ...field.args.map((argument) => within({ name: `${type.name}.${field.name}` }, argument)),
  ]);
  return [itself, ...fields];
}

function within(
  parent: { readonly name: string },
  part: { readonly name: string; readonly description?: string | null | undefined },
): Described {
  return { where: `${parent.name}.${part.name}`, description: part.description };
}

describe('the schema tells a frontend developer what everything is', () => {
  it.each(ours.map((type) => [type.name, type] as const))('in %s', (_, type) => {
    const silent = partsOf(type).filter(({ description }) => (description ?? '').trim() === '');
    const places = silent.map(({ where }) => where);
    expect(places, `Add a description to ${places.join(', ')} in src/schema/`).toEqual([]);
  });

  it('down to fields, arguments, input fields and enum values', () => {
    const places = ours.flatMap(partsOf).map(({ where }) => where);
    expect(places).toEqual(
      expect.arrayContaining([
        'DateTime',
        'CreateImageToVideoResult',
        'UserError.message',
        'Task.id',
        'Query.tasks.first',
        'CreateImageToVideoInput.prompt',
        'TaskState.FAIL',
      ]),
    );
  });
});
