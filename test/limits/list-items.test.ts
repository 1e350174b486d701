import { getNamedType, isObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '../../src/schema/schema.ts';
import { DOORS } from '../attacks/doors.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';

const REFUSED = {
  code: 'OPERATION_TOO_LARGE',
  hint: expect.stringContaining('`first`') as string,
};

/** `tasks` so many times, each with these arguments. */
function lists(count: number, args: string): string {
  return Array.from({ length: count }, (_, index) => `a${index}: tasks${args} { revision }`).join(' ');
}

async function start(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { graphqlUrl } = await startGateway({ provider: await startFakeProvider(), env });
  return graphqlUrl;
}

test('the lists of an operation may ask for 200 items together, over every transport', async () => {
  const graphqlUrl = await start();
  for (const door of DOORS) {
    const { errors } = await door.send(graphqlUrl, { query: `{ ${lists(2, '(first: 100)')} }` });
    expect([door.name, errors]).toEqual([door.name, []]);
  }
});

test.each([
  ['literals', `{ ${lists(2, '(first: 100)')} b: tasks(first: 1) { revision } }`, {}],
  ['variables', `query ($n: Int) { ${lists(3, '(first: $n)')} }`, { n: 67 }],
  ['the default', `{ ${lists(11, '')} }`, {}],
  [
    'fragments',
    `{ ...F a: tasks(first: 100) { revision } } fragment F on Query { ${lists(1, '(first: 100)').replace('a0', 'b')} c: tasks(first: 1) { revision } }`,
    {},
  ],
  [
    'numbers that are refused for themselves beside them',
    `{ z: tasks(first: -1000000) { revision } ${lists(3, '(first: 100)')} }`,
    {},
  ],
])(
  'lists that ask by %s for more than 200 items are refused over every transport',
  async (_, query, variables) => {
    const graphqlUrl = await start();
    for (const door of DOORS) {
      const { data, errors, status } = await door.send(graphqlUrl, { query, variables });
      expect([door.name, data ?? null]).toEqual([door.name, null]);
      expect(errors.map(({ extensions }) => extensions)).toContainEqual(REFUSED);
      if (door.isHttp) expect(status).toBe(400);
    }
  },
);

test('a field that is merged with another counts once', async () => {
  const graphqlUrl = await start();
  const query =
    '{ tasks(first: 100) { revision } tasks(first: 100) { revision } a: tasks(first: 100) { revision } }';
  for (const door of DOORS) expect((await door.send(graphqlUrl, { query })).errors).toEqual([]);
});

test('MAX_LIST_ITEMS sets how many items the lists of an operation may ask for', async () => {
  const graphqlUrl = await start({ MAX_LIST_ITEMS: '10' });
  for (const door of DOORS) {
    expect((await door.send(graphqlUrl, { query: '{ tasks(first: 10) { revision } }' })).errors).toEqual([]);
    const { errors } = await door.send(graphqlUrl, { query: '{ tasks(first: 11) { revision } }' });
    expect(errors[0]?.message).toContain('more than 10 items');
  }
});

test('the list that is limited is the only one with `first`', () => {
  const withFirst = Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
    .filter(({ field }) => field.args.some(({ name }) => name === 'first'))
    .map(({ field, type }) => `${type.name}.${field.name}: ${getNamedType(field.type).name}`);
  expect(withFirst).toEqual(['Query.tasks: TaskConnection']);
});
