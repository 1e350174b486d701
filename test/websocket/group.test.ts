import { getNamedType, isObjectType, parse, type GraphQLOutputType } from 'graphql';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createGroup, createResults } from '../../src/websocket/group.ts';
import { schema } from '../../src/schema/schema.ts';
import { waitingRecord } from './stored-tasks.ts';

const TASK = waitingRecord({
  revision: 7,
  state: 'FAIL',
  videos: [{ url: 'https://files.example/done.mp4', expiresAt: 1 }],
  failure: { code: 'EXPIRED', providerCode: null, message: 'no final state' },
  completedAt: 1,
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

test.each(Object.values(schema.getSubscriptionType()?.getFields() ?? {}).map(({ name }) => name))(
  'whatever %s shows of a change depends on the change alone: it may be kept for those who come to it later',
  (name) => {
    const resultAt = (now: number): string => {
      vi.setSystemTime(now);
      return new TextDecoder().decode(groupOf(name).render({ ...TASK, revision: 7 }));
    };
    const result = resultAt(1);
    expect(JSON.parse(result)).toMatchObject({
      data: { [name]: { revision: 7, failure: { code: 'EXPIRED' } } },
    });
    expect(resultAt(Date.UTC(2100, 1))).toBe(result);
  },
);

/** Selects all that there is; its context has nothing in it that may be asked for. */
function groupOf(name: string) {
  const field = schema.getSubscriptionType()?.getFields()[name];
  if (!field) throw new Error(`there is no ${name}`);
  const id = field.args.some((arg) => arg.name === 'id') ? '(id: "some")' : '';
  const contextValue = new Proxy(
    {},
    {
      get: (_context, property) => {
        throw new Error(`the context's ${String(property)} was asked for`);
      },
    },
  );
  return createGroup({
    args: { schema, document: parse(`subscription { ${name}${id} ${allOf(field.type)} }`), contextValue },
    maskError: (error) => {
      throw error;
    },
    results: createResults(0),
  });
}

function allOf(type: GraphQLOutputType): string {
  const named = getNamedType(type);
  if (!isObjectType(named)) return '';
  const fields = Object.values(named.getFields()).map((field) => `${field.name} ${allOf(field.type)}`);
  return `{ __typename ${fields.join(' ')} }`;
}
