import fc from 'fast-check';
import { execute, parse, type ExecutionArgs } from 'graphql';
import * as compiler from 'graphql-jit';
import { describe, expect, test } from 'vitest';
import type { Context } from '../../src/resolvers/context.ts';
import { schema } from '../../src/schema/schema.ts';
import { createCompiledExecution } from '../../src/server/compiled-execution.ts';
import { isOfCompiled } from '../api/is-of-compiled.ts';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import type { AnnouncedRecord } from '../../src/tasks/task.ts';
import { createTasks } from '../../src/tasks/tasks.ts';
import { waitingRecord } from '../live/stored-tasks.ts';
import { startWithProvider, submit } from '../webhooks/called-back.ts';
import { created } from '../support/kie.ts';
import { form, fragmentsOf, operationOf, use, type Form, type Use } from './sharing-documents.ts';

const RUNS = Number(process.env['RUNS'] ?? 300);
const SEED = Number(process.env['SEED'] ?? 20_261_126);
const OPTIONS = { seed: SEED, numRuns: RUNS };

/** Every document is compiled at once. */
const AT_ONCE = { uses: 1, pauseMs: 0, kept: 10 };

const AT = 1_763_798_400_000;
const RECORDS = [
  waitingRecord({ revision: 3, promptOptimizer: true }),
  waitingRecord({
    revision: 2 ** 40,
    state: 'SUCCESS',
    videos: [
      { url: 'https://files.example/a.mp4?x="1"', expiresAt: AT },
      { url: 'https://files.example/b.mp4', expiresAt: AT + 1 },
    ],
    creditsConsumed: 5.7,
    prompt: 'snow \u2028 "falling" 雪',
    completedAt: AT,
  }),
  waitingRecord({
    revision: 9,
    state: 'FAIL',
    failure: { code: 'GENERATION_FAILED', providerCode: '500', message: 'It broke.' },
    completedAt: AT,
  }),
  // What the schema does not allow: an error, and a null that goes up as far as it must.
  waitingRecord({ revision: 10, state: 'NEVER' as AnnouncedRecord['state'] }),
  waitingRecord({ revision: 11, videos: [{ url: null as unknown as string, expiresAt: AT }] }),
].map((record): AnnouncedRecord => ({ ...record, revision: record.revision ?? 0 }));

/** Compares what both make of the same, as the texts that they would be sent as; returns whether one was compiled. */
async function compare(args: ExecutionArgs): Promise<boolean> {
  const result = await createCompiledExecution(AT_ONCE, compiler)(args);
  expect(JSON.stringify(result)).toBe(JSON.stringify(await execute(args)));
  return isOfCompiled(result);
}

describe('what is compiled comes to the same text as what graphql-js executes', () => {
  test(`for events of subscriptions (${RUNS} runs, seed ${SEED})`, async () => {
    let compiled = 0;
    const property = fc.asyncProperty(form, use, fc.constantFrom(...RECORDS), async (form, use, record) => {
      const root = {
        field: 'taskUpdated',
        args: [{ name: 'id', type: 'ID!', value: 'x' }],
        isFat: false,
      } as const;
      const { operationName, query, variables } = operationOf(form, use, root);
      const args = { schema, document: parse(query), variableValues: variables, operationName };
      if (await compare({ ...args, rootValue: record, contextValue: {} })) compiled += 1;
    });
    await fc.assert(property, OPTIONS);
    expect(compiled).toBeGreaterThan(RUNS / 20);
  });

  test(`for queries (${RUNS} runs, seed ${SEED})`, async () => {
    const { contextValue, id } = await stored();
    let compiled = 0;
    const property = fc.asyncProperty(form, use, fc.boolean(), async (form, use, isKnown) => {
      const { query, variables } = queryOf(form, use, isKnown ? id : 'unknown');
      const args = { schema, document: parse(query), variableValues: variables };
      if (await compare({ ...args, contextValue })) compiled += 1;
    });
    await fc.assert(property, OPTIONS);
    expect(compiled).toBeGreaterThan(RUNS / 20);
  });
});

function queryOf({ alias, pieces }: Form, { flag, given, isTalkative, other }: Use, id: string) {
  const selection = `{ ${pieces.join(' ')} }`;
  const query = `
    query ($id: ID!, $flag: Boolean = true, $other: Boolean = false, $first: Int = 2) {
      ${alias}task(id: $id) ${selection}
      tasks(first: $first) { revision edges { cursor node ${selection} } pageInfo { hasNextPage endCursor } }
      more: tasks(first: 1 ${given === 'default' ? 'states: [WAITING]' : ''}) ${given === 'literal' ? '@include(if: $other)' : ''} {
        edges { node { id queuePosition } }
      }
      account { creditsRemaining }
    }
    ${fragmentsOf(selection).join(' ')}`;
  const variables = { id, flag, ...(other !== undefined && { other }), ...(isTalkative && { first: -1 }) };
  return { query, variables };
}

/** A gateway's own queries, over three tasks. */
async function stored() {
  let ports: TaskPorts | undefined;
  const { gateway, provider } = await startWithProvider({
    overrides: { wrap: (made) => (ports = made) },
  });
  const ids: string[] = [];
  for (const providerTaskId of ['kie-1', 'kie-2', 'kie-3']) {
    provider.answer('createTask', created(providerTaskId));
    ids.push((await submit(gateway)).id);
  }
  if (!ports) throw new Error('The gateway did not wrap its ports');
  const caller = { owner: 'anonymous', maySeeCredits: false };
  const contextValue: Context = { caller, reqId: 'req-1', tasks: createTasks(ports) };
  return { contextValue, id: ids[0] ?? '' };
}
