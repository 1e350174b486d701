import { getIntrospectionQuery, type IntrospectionQuery } from 'graphql';
import { expect, test } from 'vitest';
import { startAttacked } from './bystander.ts';
import { DOORS, httpPost, sse, webSocket } from './doors.ts';

const DEEP = `${'fields { type { '.repeat(60)} name ${'} }'.repeat(60)}`;

const EXPONENTIAL: readonly (readonly [what: string, query: string])[] = [
  ['fields of types of fields', `{ __schema { types { ${DEEP} } } }`],
  [
    'the fields of one type',
    '{ __type(name: "Task") { fields { type { fields { type { fields { name } } } } } } }',
  ],
  ['possible types', `{ __schema { types { ${'possibleTypes {'.repeat(4)} name ${'}'.repeat(4)} } } }`],
  [
    'through fragments',
    `{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } }
     fragment B on __Type { fields { type { ...C } } } fragment C on __Type { fields { name } }`,
  ],
];

const EVERY_OPTION = {
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
};

/** With INTROSPECTION=false: mistaken names, and the right one that must not be told. */
const MISTAKEN: readonly (readonly [query: string, secret: string])[] = [
  ['{ taskz { revision } }', 'tasks'],
  ['{ tasks { revisiom } }', 'revision'],
  ['{ tasks(aftr: "x") { revision } }', 'after'],
  ['{ tasks(states: [SUCCES]) { revision } }', 'SUCCESS'],
  ['{ __typename ...on Taskk { id } }', '"Task"'],
  ['mutation { createImageToVideo(input: {promptt: "x"}) { __typename } }', 'promptOptimizer'],
  ['query($a: TaskStat) { __typename }', 'TaskState'],
];

test.each(EXPONENTIAL)('introspection that would grow without end is refused: %s', async (_, query) => {
  const { gateway, withstands } = await startAttacked();
  for (const door of DOORS) {
    const { data, errors } = await withstands(() => door.send(gateway.graphqlUrl, { query }));
    expect(errors[0]?.message, door.name).toContain('introspection depth');
    expect(data).toBeUndefined();
  }
});

test('the usual introspection, with every option or none, is answered on every door with the limits on', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const options of [{}, EVERY_OPTION, { descriptions: false }])
    for (const door of DOORS) {
      const query = getIntrospectionQuery(options);
      const { data, errors } = await withstands(() => door.send(gateway.graphqlUrl, { query }));
      expect([door.name, errors]).toEqual([door.name, []]);
      expect(namesIn(data)).toEqual(expect.arrayContaining(['Task', 'Query', '__Schema']));
    }
});

test.each(MISTAKEN)('with INTROSPECTION=false the answer to %s names nothing else', async (query, secret) => {
  const { gateway, withstands } = await startAttacked({ env: { INTROSPECTION: 'false' } });
  for (const door of DOORS) {
    const { errors, text } = await withstands(() => door.send(gateway.graphqlUrl, { query }));
    expect(errors).not.toEqual([]);
    expect(text).not.toMatch(/did you mean/i);
    expect(text.replaceAll('\\"', '"'), door.name).not.toContain(secret);
  }
});

test('with INTROSPECTION=false the answer to mistaken variables names nothing else', async () => {
  const { gateway, withstands } = await startAttacked({ env: { INTROSPECTION: 'false' } });
  const query = 'query($states: [TaskState!]) { tasks(states: $states) { revision } }';
  for (const door of DOORS) {
    const operation = { query, variables: { states: ['SUCCES'] } };
    const { errors, text } = await withstands(() => door.send(gateway.graphqlUrl, operation));
    expect(errors).toMatchObject([{ message: expect.stringContaining('"SUCCES"') as string }]);
    expect(text, door.name).not.toMatch(/did you mean|SUCCESS/i);
  }
});

function namesIn(data: unknown): readonly string[] {
  return (data as IntrospectionQuery).__schema.types.map(({ name }) => name);
}

test('with INTROSPECTION=false a variable that repeats the words of a suggestion is answered at once', async () => {
  const { gateway, withstands } = await startAttacked({ env: { INTROSPECTION: 'false' } });
  const query = 'query($states: [TaskState!]) { tasks(states: $states) { revision } }';
  const variables = { states: ['Did you mean '.repeat(19_000)] };
  for (const door of [httpPost, sse, webSocket]) {
    const { errors } = await withstands(() => door.send(gateway.graphqlUrl, { query, variables }));
    expect(errors).toHaveLength(1);
  }
});
