import { getIntrospectionQuery, getNamedType, isObjectType, type IntrospectionQuery } from 'graphql';
import { expect, test } from 'vitest';
import { createDocuments } from '../../src/engine/documents.ts';
import { schema } from '../../src/schema/schema.ts';
import { CREATE, TASK, TASKS, TASK_UPDATED, input } from '../kit/documents.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { addTask, change } from '../websocket/stored-tasks.ts';
import { startAttacked } from './bystander.ts';
import { DOORS, httpGet, httpPost, sseGet, type Told } from './doors.ts';

type Variables = Readonly<Record<string, unknown>>;

/** `part` so many times, told its number. */
function times(count: number, part: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => part(index)).join(' ');
}

/** What every door answers; each has to say the same. */
async function askAll({ graphqlUrl }: Gateway, query: string, variables: Variables = {}, doors = DOORS) {
  let first: Told | undefined;
  for (const door of doors) {
    const told = await door.send(graphqlUrl, { query, variables });
    first ??= told;
    const isSame =
      JSON.stringify([told.data ?? null, told.errors]) === JSON.stringify([first.data ?? null, first.errors]);
    expect([door.name, isSame ? '' : [told.text, first.text]]).toEqual([door.name, '']);
    const isTooLarge = first.errors.some(({ extensions }) => extensions?.['code'] === 'OPERATION_TOO_LARGE');
    if (door.isHttp && isTooLarge) expect([door.name, told.status]).toEqual([door.name, 400]);
  }
  if (!first) throw new Error('There is no door');
  return first;
}

/** `{ __type { fields { type { ofType … { name } } } } }` */
function levels(count: number): string {
  const names = ['__type(name: "Task")', 'fields', 'type', ...Array<string>(count).fill('ofType')];
  return names.slice(0, count - 1).reduceRight((inner, name) => `{ ${name} ${inner} }`, '{ name }');
}

function tokens(count: number): string {
  const others = ['{', 'tasks', '(', 'states', ':', '[', ']', ')', '{', 'revision', '}', '}'].length;
  return `{ tasks(states: [${'FAIL '.repeat(count - others)}]) { revision } }`;
}

const aliases = (count: number): string => `{ ${times(count, (index) => `a${index}: __typename`)} }`;
const directives = (count: number): string => `{ ${'__typename @include(if: true) '.repeat(count)} }`;
const tooLarge = (size: number, what: string): object[] => [
  {
    message: `The operation has more than ${size} ${what}.`,
    extensions: { code: 'OPERATION_TOO_LARGE', hint: 'Split it into several smaller operations.' },
  },
];

test.each([
  { standard: 10, set: 4, name: 'MAX_DEPTH', what: 'levels of fields', queryOf: levels },
  { standard: 15, set: 2, name: 'MAX_ALIASES', what: 'aliases', queryOf: aliases },
  { standard: 5, set: 1, name: 'MAX_DIRECTIVES', what: 'directives', queryOf: directives },
  { standard: 1000, set: 20, name: 'MAX_TOKENS', what: 'words and signs', queryOf: tokens },
])(
  '$name, unset or set, lets through what is as large and refuses one more, over every transport',
  async ({ name, queryOf, set, standard, what }) => {
    for (const [size, env] of [
      [standard, {}],
      [set, { [name]: String(set) }],
    ] as const) {
      const gateway = await startGateway({ env });
      expect(await askAll(gateway, queryOf(size))).toMatchObject({ status: 200, errors: [] });
      for (let time = 0; time < 2; time += 1)
        expect(await askAll(gateway, queryOf(size + 1))).toMatchObject({
          status: 400,
          data: undefined,
          errors: tooLarge(size, what),
        });
    }
  },
);

const DOUBLING = times(3, (index) => `fragment F${index} on Query { ...F${index + 1} ...F${index + 1} }`);

const TOO_LARGE: readonly (readonly [says: string, query: string])[] = [
  [
    '15 aliases',
    `{ ...A ...B } fragment A on Query ${aliases(8)} fragment B on Query { ${times(8, (index) => `b${index}: __typename`)} }`,
  ],
  ['15 aliases', `{ ...F0 } ${DOUBLING} fragment F3 on Query { a: __typename b: __typename }`],
  ['15 aliases', `{ ${times(16, (index) => `a${index}: __schema { types { name } }`)} }`],
  ['5 directives', `{ __typename ${times(6, () => '@include(if: true)')} }`],
  ['5 directives', `{ ...F } fragment F on Query ${directives(6)}`],
  ['5 directives', `{ __typename ${times(300, () => '@nope')} }`],
  ['5 directives', `query ${times(300, () => '@nope')} { __typename }`],
  ['1000 words and signs', `query(${times(300, (index) => `$v${index}: ID`)}) { __typename }`],
  ['10 levels', `{ ${'tasks {'.repeat(300)} revision ${'}'.repeat(300)} }`],
  ['10 levels', `{ ...F } fragment F on Query ${levels(11)}`],
  ['repeats its fields too often', `{ ${times(990, () => '__typename')} }`],
];

const CIRCULAR = [
  '{ ...A } fragment A on Query { ...A }',
  '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
  `{ ...A } fragment A on Query { ${'...B ...C '.repeat(50)} } fragment B on Query { ${'...C ...A '.repeat(50)} } fragment C on Query { ${'...A ...B '.repeat(50)} }`,
  '{ tasks { ...A } } fragment A on TaskConnection { edges { node { ...B } } } fragment B on Task { ...C } fragment C on Task { ...B }',
  '{ __typename } fragment A on Query { ...B } fragment B on Query { ...A }',
];

const EXPONENTIAL = [
  `{ __schema { types { ${'fields { type { '.repeat(60)} name ${'} }'.repeat(60)} } } }`,
  '{ __type(name: "Task") { fields { type { fields { type { fields { name } } } } } } }',
  `{ __schema { types { ${'possibleTypes {'.repeat(4)} name ${'}'.repeat(4)} } } }`,
  `{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } }
   fragment B on __Type { fields { type { ...C } } } fragment C on __Type { fields { name } }`,
];

test('operations that are too large, circular or exponential are refused over every transport', async () => {
  const { gateway, withstands } = await startAttacked();
  const ask = (query: string) => withstands(() => askAll(gateway, query));
  for (const [says, query] of TOO_LARGE)
    expect(await ask(query)).toMatchObject({
      status: 400,
      data: undefined,
      errors: [
        { message: expect.stringContaining(says) as string, extensions: { code: 'OPERATION_TOO_LARGE' } },
      ],
    });
  for (const query of CIRCULAR) {
    const { data, errors } = await ask(query);
    expect([data, errors.map(({ message }) => message).join()]).toEqual([
      undefined,
      expect.stringContaining('Cannot spread fragment'),
    ]);
  }
  for (const query of EXPONENTIAL) {
    const { data, errors } = await ask(query);
    expect([data, errors[0]?.message]).toEqual([undefined, expect.stringContaining('introspection depth')]);
  }
  // It speaks of tokens, and is no operation with too many of them.
  const { errors } = await ask('{ tasks(after: "a" "1000 tokens") { revision } }');
  expect(errors.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^Syntax Error: Expected Name/),
  ]);
});

/** `tasks` so many times, each with these arguments. */
const lists = (count: number, args: string): string =>
  times(count, (index) => `a${index}: tasks${args} { revision }`);

test('the lists of an operation may ask for 200 items together, or for MAX_LIST_ITEMS, over every transport', async () => {
  const gateway = await startGateway();
  const hundred = 'tasks(first: 100) { revision }';
  for (const query of [`{ ${lists(2, '(first: 100)')} }`, `{ ${hundred} ${hundred} a: ${hundred} }`])
    expect((await askAll(gateway, query)).errors).toEqual([]);
  for (const [query, variables] of [
    [`{ ${lists(2, '(first: 100)')} b: tasks(first: 1) { revision } }`, {}],
    [`query ($n: Int) { ${lists(3, '(first: $n)')} }`, { n: 67 }],
    [`{ ${lists(11, '')} }`, {}],
    [`{ ...F a: ${hundred} } fragment F on Query { b: ${hundred} c: tasks(first: 1) { revision } }`, {}],
    [`{ z: tasks(first: -1000000) { revision } ${lists(3, '(first: 100)')} }`, {}],
  ] as const) {
    const { data, errors, status } = await askAll(gateway, query, variables);
    expect([query, data ?? null, status]).toEqual([query, null, 400]);
    const hint = expect.stringContaining('`first`') as string;
    expect(errors.map(({ extensions }) => extensions)).toContainEqual({ code: 'OPERATION_TOO_LARGE', hint });
  }
  const small = await startGateway({ env: { MAX_LIST_ITEMS: '10' } });
  expect((await askAll(small, '{ tasks(first: 10) { revision } }')).errors).toEqual([]);
  const { errors } = await askAll(small, '{ tasks(first: 11) { revision } }');
  expect(errors[0]?.message).toContain('more than 10 items');
});

test('the list that is limited is the only one with `first`', () => {
  const withFirst = Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
    .filter(({ field }) => field.args.some(({ name }) => name === 'first'))
    .map(({ field, type }) => `${type.name}.${field.name}: ${getNamedType(field.type).name}`);
  expect(withFirst).toEqual(['Query.tasks: TaskConnection']);
});

test('the usual introspection, with every option or none, is answered over every transport with the limits on', async () => {
  const gateway = await startGateway();
  const every = {
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
  };
  for (const options of [{}, every, { descriptions: false }]) {
    const { data, errors } = await askAll(gateway, getIntrospectionQuery(options));
    expect(errors).toEqual([]);
    const names = (data as IntrospectionQuery).__schema.types.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['Task', 'Query', '__Schema']));
  }
});

test('with INTROSPECTION=false the answer to a mistaken name names nothing else, over every transport', async () => {
  const { gateway, withstands } = await startAttacked({ env: { INTROSPECTION: 'false' } });
  const states = 'query($states: [TaskState!]) { tasks(states: $states) { revision } }';
  for (const [query, secret, variables] of [
    ['{ taskz { revision } }', 'tasks', {}],
    ['{ tasks { revisiom } }', 'revision', {}],
    ['{ tasks(aftr: "x") { revision } }', 'after', {}],
    ['{ tasks(states: [SUCCES]) { revision } }', 'SUCCESS', {}],
    ['{ __typename ...on Taskk { id } }', '"Task"', {}],
    ['mutation { createImageToVideo(input: {promptt: "x"}) { __typename } }', 'promptOptimizer', {}],
    ['query($a: TaskStat) { __typename }', 'TaskState', {}],
    [states, 'SUCCESS', { states: ['SUCCES'] }],
  ] as const) {
    // A mutation by GET is refused for that.
    const doors = query.startsWith('mutation') ? DOORS_FOR_LONG : DOORS;
    const { errors, text } = await withstands(() => askAll(gateway, query, variables, doors));
    expect(errors).not.toEqual([]);
    expect(text).not.toMatch(/did you mean/i);
    expect(text.replaceAll('\\"', '"')).not.toContain(secret);
  }
  // One that repeats the words of a suggestion is answered at once.
  const variables = { states: ['Did you mean '.repeat(19_000)] };
  expect((await withstands(() => askAll(gateway, states, variables, DOORS_FOR_LONG))).errors).toHaveLength(1);
});

const LONG = 'x'.repeat(200_000);
const STRANGE = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  '\0',
  '\ud800',
  LONG,
];
/** 200,000 characters do not fit into an address. */
const DOORS_FOR_LONG = DOORS.filter((door) => door !== httpGet && door !== sseGet);
const STREAMS = DOORS.filter((door) => door !== httpGet && door !== httpPost);

test('an id, a cursor or a key that is strange or too long is none, and is not repeated', async () => {
  const { gateway, provider, withstands } = await startAttacked();
  const isShort = ({ text }: Told): void => {
    expect(text.length).toBeLessThan(1000);
  };
  for (const text of STRANGE) {
    const doors = text === LONG ? DOORS_FOR_LONG : DOORS;
    const ask = (query: string, variables: Variables, by = doors) =>
      withstands(() => askAll(gateway, query, variables, by));
    expect(await ask(TASK, { id: text })).toMatchObject({ data: { task: null }, errors: [] });
    const watched = await ask(
      TASK_UPDATED,
      { id: text },
      STREAMS.filter((door) => doors.includes(door)),
    );
    expect(watched.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    const listed = await ask(TASKS, { after: text });
    expect(listed).toMatchObject({ data: null, errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
    [watched, listed].forEach(isShort);
  }
  for (const idempotencyKey of [LONG, 'x'.repeat(256), '\0', '\ud800', '']) {
    const told = await withstands(() =>
      askAll(gateway, CREATE, { input: input({ idempotencyKey }) }, DOORS_FOR_LONG),
    );
    expect(told.data).toMatchObject({ createImageToVideo: { __typename: 'ValidationError' } });
    isShort(told);
  }
  for (const name of ['__proto__', 'constructor'])
    for (const [query, json] of [
      [TASK, `{"${name}":{"id":"x","polluted":true,"prototype":{"polluted":true}}}`],
      [CREATE, `{"input":{"${name}":{"prompt":"x","imageUrl":"https://a.example"}}}`],
    ] as const) {
      const variables = JSON.parse(json) as Variables;
      const told = await withstands(() => askAll(gateway, query, variables, DOORS_FOR_LONG));
      expect(told.errors).not.toEqual([]);
      expect(told.data ?? null).toBeNull();
    }
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect(provider.requests()).toEqual([]);
});

test('a subscription with any id of at most 128 characters works like any other', async () => {
  const { gateway, ports, withstands } = await startAttacked();
  let task = await addTask(ports.store);
  const client = await openGraphqlWs(gateway.graphqlUrl);
  for (const id of STRANGE.filter((text) => text !== '' && text !== LONG)) {
    // A lone surrogate does not survive UTF-8: the client names it as it will come back.
    const name = Buffer.from(id).toString();
    const watch = client.subscribe({ query: TASK_UPDATED, variables: { id: task.id } }, name);
    await withstands(() => watch.next());
    task = await change(ports.store, task);
    expect((await watch.data()).taskUpdated).toMatchObject({ revision: task.revision });
    watch.stop();
    await client.subscribe({ query: '{ __typename }' }, 'after').data();
    await client.subscribe({ query: '{ __typename }' }, name).data();
  }
});

test('valid documents are parsed once and kept by their size together; others, and very long ones, are not kept', () => {
  const limits = { maxDepth: 10, maxAliases: 15, maxDirectives: 5, maxTokens: 1000 };
  const { parse, validate } = createDocuments({ schema, limits, introspection: true });
  /** Takes a document as the transports do; what is kept stays the same. */
  const take = (source: string): object => {
    const document = parse(source);
    validate(document);
    return document;
  };
  const short = '{ __typename }';
  expect(take(short)).toBe(take(short));
  for (const source of ['{ nope }', aliases(16), `${short} #${'x'.repeat(16_384)}`])
    expect(take(source)).not.toBe(take(source));
  const kept = take(short);
  const filler = 'x'.repeat(10_000);
  for (let count = 0; count < 12; count += 1) {
    take(`${short} #${count}${filler}`);
    expect(take(short)).toBe(kept);
  }
  for (let count = 0; count < 14; count += 1) take(`{ tasks { revision } } #${count}${filler}`);
  expect(take(short)).not.toBe(kept);

  // Their places would take long to find.
  const placesOf = (source: string) => validate(parse(source)).map(({ locations }) => locations);
  expect(placesOf('{ nope }')).toEqual([[{ line: 1, column: 3 }]]);
  for (const long of [' '.repeat(16_384), '\n'.repeat(1000)])
    expect(placesOf(`${long}{ nope }`)).toEqual([undefined]);
});

test('a syntax error is told over HTTP as ever, whatever was sent over a socket before', async () => {
  const gateway = await startGateway();
  const client = await openGraphqlWs(gateway.graphqlUrl);
  const query = '{ no such thing ((';
  expect(await client.subscribe({ query }).errors()).toHaveLength(1);
  for (let time = 0; time < 2; time += 1)
    expect(await httpPost.send(gateway.graphqlUrl, { query })).toMatchObject({
      status: 400,
      errors: [{ extensions: { code: 'GRAPHQL_PARSE_FAILED' } }],
    });
});

test('a response holds a page of the longest prompts, and no alias may repeat them without end', async () => {
  const { gateway, ports, withstands } = await startAttacked();
  const prompt = 'x'.repeat(20_000);
  await Promise.all(Array.from({ length: 100 }, () => addTask(ports.store, { prompt })));
  const ask = (fields: string) =>
    withstands(() =>
      httpPost.send(gateway.graphqlUrl, { query: `{ tasks(first: 100) { edges { node { ${fields} } } } }` }),
    );
  expect(await ask('prompt')).toMatchObject({ status: 200, errors: [] });
  const { errors, text } = await ask('one: prompt two: prompt');
  expect(errors[0]?.extensions).toMatchObject({ code: 'OPERATION_TOO_LARGE' });
  expect(text.length).toBeLessThan(100_000);
});
