import { getIntrospectionQuery } from 'graphql';
import { describe, expect, it } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { ASK_DOORS, errorOf } from './asking.ts';

interface SizeLimit {
  readonly name: string;
  readonly standard: number;
  readonly set: number;
  readonly what: string;
  /** A valid query of exactly this size. */
  readonly queryOf: (size: number) => string;
}

const LIMITS: readonly SizeLimit[] = [
  { name: 'MAX_DEPTH', standard: 10, set: 3, what: 'levels of fields', queryOf: levels },
  { name: 'MAX_ALIASES', standard: 15, set: 2, what: 'aliases', queryOf: aliases },
  { name: 'MAX_DIRECTIVES', standard: 5, set: 1, what: 'directives', queryOf: directives },
  { name: 'MAX_TOKENS', standard: 1000, set: 20, what: 'words and signs', queryOf: tokens },
];

const DOORS_AND_VALUES = ASK_DOORS.flatMap((door) =>
  (['standard', 'set'] as const).map((value) => ({ ask: door.ask, door: door.name, value })),
);

/** `{ __type { fields { type { ofType … { name } } } } }` */
function levels(count: number): string {
  const names = ['__type(name: "Task")', 'fields', 'type', ...Array<string>(count).fill('ofType')];
  return names.slice(0, count - 1).reduceRight((inner, name) => `{ ${name} ${inner} }`, '{ name }');
}

function aliases(count: number): string {
  return `{ ${Array.from({ length: count }, (_, index) => `a${index}: __typename`).join(' ')} }`;
}

function directives(count: number): string {
  return `{ ${'__typename @include(if: true) '.repeat(count)} }`;
}

function tokens(count: number): string {
  const others = ['{', 'tasks', '(', 'states', ':', '[', ']', ')', '{', 'revision', '}', '}'].length;
  return `{ tasks(states: [${'FAIL '.repeat(count - others)}]) { revision } }`;
}

async function start(env: Readonly<Record<string, string>> = {}): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider(), env });
}

describe.each(LIMITS)('$name', (limit) => {
  it.each(DOORS_AND_VALUES)(
    'over $door, when $value, lets through what is as large and refuses what is larger by one',
    async ({ ask, door, value }) => {
      const size = limit[value];
      const { graphqlUrl } = await start(value === 'set' ? { [limit.name]: String(size) } : {});
      const allowed = await ask(graphqlUrl, { query: limit.queryOf(size) });
      expect(allowed.result).not.toHaveProperty('errors');
      const refused = await ask(graphqlUrl, { query: limit.queryOf(size + 1) });
      expect(refused.status).toBe(door === 'WebSocket' ? null : 400);
      expect(refused.result).toEqual({
        errors: [
          {
            message: `The operation has more than ${size} ${limit.what}.`,
            extensions: {
              code: 'OPERATION_TOO_LARGE',
              hint: 'Split it into several smaller operations.',
            },
          },
        ],
      });
    },
  );

  it('refuses the same operation as often as it comes', async () => {
    const { graphqlUrl } = await start({ [limit.name]: String(limit.set) });
    for (const { ask } of [...ASK_DOORS, ...ASK_DOORS]) {
      const { extensions } = errorOf(await ask(graphqlUrl, { query: limit.queryOf(limit.set + 1) }));
      expect(extensions).toMatchObject({ code: 'OPERATION_TOO_LARGE' });
    }
  });
});

describe('what is spread by a fragment', () => {
  it.each([
    ['MAX_DEPTH', '{ ...F } fragment F on Query { tasks { edges { node { id } } } }'],
    ['MAX_ALIASES', '{ ...F } fragment F on Query { a: __typename b: __typename c: __typename }'],
    ['MAX_DIRECTIVES', `{ ...F } fragment F on Query ${directives(3)}`],
  ])('counts for %s', async (name, query) => {
    const { graphqlUrl } = await start({ [name]: '2' });
    for (const { ask } of ASK_DOORS)
      expect(errorOf(await ask(graphqlUrl, { query })).extensions).toMatchObject({
        code: 'OPERATION_TOO_LARGE',
      });
  });
});

it.each(ASK_DOORS)('the standard introspection query is not too large over $name', async ({ ask }) => {
  const told = await ask((await start()).graphqlUrl, { query: getIntrospectionQuery() });
  expect(told.result).not.toHaveProperty('errors');
});
