import { parse } from 'graphql';
import * as compiler from 'graphql-jit';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { schema } from '../../src/schema/schema.ts';
import { createCompiledExecution } from '../../src/server/compiled-execution.ts';
import { isOfCompiled } from './is-of-compiled.ts';

/** With it every operation below comes to data alone, compiled or not. */
const CONTEXT = {
  caller: { owner: 'ann' },
  tasks: {
    find: () => null,
    list: () => ({ tasks: [], hasNextPage: false, hasPreviousPage: false, revision: 0 }),
  },
};

/** Tells of each execution of these documents, one after the other, whether it was of a compiled one. */
async function run(limits: Parameters<typeof createCompiledExecution>[0], ...sources: readonly string[]) {
  const execute = createCompiledExecution(limits, compiler);
  const documents = new Map(sources.map((source) => [source, parse(source)]));
  const seen: boolean[] = [];
  for (const source of sources) {
    const document = documents.get(source);
    if (document) seen.push(isOfCompiled(await execute({ schema, document, contextValue: CONTEXT })));
  }
  return seen;
}

const ONE = '{ __typename }';
const OTHER = '{ other: __typename }';

describe('a document', () => {
  test('is compiled when it has come often enough', async () => {
    expect(await run({ uses: 3, pauseMs: 0, kept: 9 }, ONE, ONE, ONE, ONE)).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  test('has the compiler loaded, and is executed by graphql-js until it is there', async () => {
    const execute = createCompiledExecution({ uses: 1, pauseMs: 0, kept: 9 });
    const args = { schema, document: parse(ONE), contextValue: {} };
    expect(isOfCompiled(await execute(args))).toBe(false);
    let result = await execute(args);
    while (!isOfCompiled(result)) {
      await setImmediate();
      result = await execute(args);
    }
    expect(result).toEqual({ data: { __typename: 'Query' } });
  });

  test('waits until some time after another one was compiled', async () => {
    const limits = { uses: 1, pauseMs: 60_000, kept: 9 };
    expect(await run(limits, ONE, OTHER, OTHER, ONE)).toEqual([true, false, false, true]);
  });

  test('makes room for others, and has to come as often again', async () => {
    const limits = { uses: 2, pauseMs: 0, kept: 1 };
    expect(await run(limits, ONE, ONE, OTHER, OTHER, ONE, ONE)).toEqual([
      false,
      true,
      false,
      true,
      false,
      true,
    ]);
  });

  test('stays compiled while it comes, whatever others do', async () => {
    const [second, third] = ['{ second: __typename }', '{ third: __typename }'];
    const limits = { uses: 2, pauseMs: 0, kept: 2 };
    const seen = await run(limits, ONE, ONE, second, second, ONE, third, third, ONE);
    expect(seen.at(-1)).toBe(true);
  });

  test('never has what stands in it executed as code', async () => {
    // The compiler's own mark for dates, behind which it takes what follows for source text.
    const mark = '__MAGIC_DATE__33a9e76d_02e0_4128_8e92_3530ad3da74d';
    const asked: unknown[] = [];
    const tasks = { find: (...args: unknown[]) => asked.push(args) && null };
    const execute = createCompiledExecution({ uses: 1, pauseMs: 0, kept: 9 }, compiler);
    const id = `${mark}(globalThis.broken = true)`;
    const document = parse(`{ task(id: ${JSON.stringify(id)}) { id } }`);
    const contextValue = { caller: { owner: 'ann' }, tasks };
    for (let time = 0; time < 3; time += 1) await execute({ schema, document, contextValue });
    expect(Reflect.get(globalThis, 'broken')).toBeUndefined();
    expect(asked).toEqual(Array(3).fill(['ann', id]));
  });

  test.each([
    ['has a string', '{ task(id: "x") { id } }'],
    ['has a string by default', 'query ($id: ID = "x") { __typename task(id: $id) { id } }'],
    ['has a list', '{ __typename tasks(states: [WAITING]) { revision } }'],
    ['has fragments', '{ ...Part } fragment Part on Query { __typename }'],
    ['has inline fragments', '{ ... on Query { __typename } }'],
    ['names __proto__', '{ __proto__: __typename }'],
    ['asks for the schema', '{ __schema { types { name } } }'],
    ['asks for a type', '{ a: __type(name: "Task") { name } }'],
    ['has conditions', '{ __typename @include(if: true) }'],
    ['has several operations', 'query A { __typename } query B { __typename }'],
    ['is a mutation', 'mutation { __typename }'],
  ])('that %s is never compiled', async (_, source) => {
    expect(await run({ uses: 1, pauseMs: 0, kept: 9 }, source, source)).toEqual([false, false]);
  });
});
