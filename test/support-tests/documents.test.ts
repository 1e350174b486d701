import { readFileSync } from 'node:fs';
import { buildSchema, Kind, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import * as documents from '../kit/documents.ts';

const SCHEMA = new URL('../../schema.graphql', import.meta.url);

const operations = Object.entries(documents).filter(([, value]) => typeof value === 'string');

test.each(operations)('%s is one well-formed operation', (_name, source) => {
  const { definitions } = parse(source as string);
  expect(definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)).toHaveLength(1);
});

test.each(operations)('%s is valid against the checked-in schema', (_name, source) => {
  const schema = buildSchema(readFileSync(SCHEMA, 'utf8'));
  expect(validate(schema, parse(source as string))).toEqual([]);
});

test('one field of the input can be broken, and the others stay valid', () => {
  expect(documents.input({ prompt: '' })).toEqual({
    prompt: '',
    imageUrl: 'https://files.example/first.png',
  });
});
