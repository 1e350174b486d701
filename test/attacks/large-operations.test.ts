import { expect, test } from 'vitest';
import { startAttacked } from './bystander.ts';
import { DOORS } from './doors.ts';

/** `part` so many times, told its number. */
function times(count: number, part: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => part(index)).join(' ');
}

function nested(levels: number): string {
  return `{ ${times(levels, () => 'tasks {')} revision ${times(levels, () => '}')} }`;
}

const DOUBLING = times(3, (index) => `fragment F${index} on Query { ...F${index + 1} ...F${index + 1} }`);

const TOO_LARGE: readonly (readonly [what: string, query: string, says: string])[] = [
  ['aliases', `{ ${times(16, (index) => `a${index}: __typename`)} }`, '15 aliases'],
  [
    'aliases, shared out to several fragments',
    `{ ...A ...B } fragment A on Query { ${times(8, (index) => `a${index}: __typename`)} }
     fragment B on Query { ${times(8, (index) => `b${index}: __typename`)} }`,
    '15 aliases',
  ],
  [
    'aliases, doubled by fragments and doubled again',
    `{ ...F0 } ${DOUBLING} fragment F3 on Query { a: __typename b: __typename }`,
    '15 aliases',
  ],
  [
    'aliases of the whole schema',
    `{ ${times(16, (index) => `a${index}: __schema { types { name } }`)} }`,
    '15 aliases',
  ],
  ['directives on a field', `{ __typename ${times(6, () => '@include(if: true)')} }`, '5 directives'],
  ['directives that nobody knows', `{ __typename ${times(300, () => '@nope')} }`, '5 directives'],
  ['directives on the operation', `query ${times(300, () => '@nope')} { __typename }`, '5 directives'],
  ['words and signs', `{ ${times(1000, () => '__typename')} }`, '1000 words and signs'],
  ['variables', `query(${times(300, (index) => `$v${index}: ID`)}) { __typename }`, '1000 words and signs'],
  ['levels of fields', nested(10), '10 levels'],
  ['levels of fields, by hundreds', nested(300), '10 levels'],
  ['repetitions of a field', `{ ${times(990, () => '__typename')} }`, 'repeats its fields too often'],
];

const CIRCULAR: readonly (readonly [what: string, query: string])[] = [
  ['in itself', '{ ...A } fragment A on Query { ...A }'],
  ['in each other', '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }'],
  [
    'in many others, many times',
    `{ ...A } fragment A on Query { ${times(50, () => '...B ...C')} }
     fragment B on Query { ${times(50, () => '...C ...A')} } fragment C on Query { ${times(50, () => '...A ...B')} }`,
  ],
  [
    'below a field',
    `{ tasks { ...A } } fragment A on TaskConnection { edges { node { ...B } } }
     fragment B on Task { ...C } fragment C on Task { ...B }`,
  ],
  ['without being used', '{ __typename } fragment A on Query { ...B } fragment B on Query { ...A }'],
];

test.each(TOO_LARGE)(
  'too many %s are refused on every door with a code, status 400 and a hint',
  async (_, query, says) => {
    const { gateway, withstands } = await startAttacked();
    for (const door of DOORS) {
      const { data, errors, status } = await withstands(() => door.send(gateway.graphqlUrl, { query }));
      expect({ door: door.name, data, errors, status }).toEqual({
        door: door.name,
        data: undefined,
        errors: [
          {
            message: expect.stringContaining(says) as string,
            extensions: { code: 'OPERATION_TOO_LARGE', hint: 'Split it into several smaller operations.' },
          },
        ],
        status: door.isHttp ? 400 : null,
      });
    }
  },
);

test.each(CIRCULAR)('fragments that contain themselves are refused on every door: %s', async (_, query) => {
  const { gateway, withstands } = await startAttacked();
  for (const door of DOORS) {
    const { data, errors } = await withstands(() => door.send(gateway.graphqlUrl, { query }));
    expect(errors.map(({ message }) => message).join(), door.name).toContain('Cannot spread fragment');
    expect(data).toBeUndefined();
  }
});

test('a syntax error that speaks of tokens is not taken for too many of them', async () => {
  const { gateway, withstands } = await startAttacked();
  const query = '{ tasks(after: "a" "1000 tokens") { revision } }';
  for (const door of DOORS) {
    const { errors } = await withstands(() => door.send(gateway.graphqlUrl, { query }));
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Syntax Error: Expected Name/),
    ]);
  }
});
