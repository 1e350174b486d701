import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROVIDER_ERROR_CODES } from '../../src/tasks/failure.ts';
import { TASK_STATES } from '../../src/tasks/task.ts';
import { validateInput } from '../../src/tasks/validate-input.ts';
import { anyText, anyUrl } from '../tasks/any-text.ts';
import { amended, hiddenTask, insertHidden, saved } from './records.ts';
import { STORES } from './stores.ts';

const input = fc.record({
  prompt: anyText,
  imageUrl: fc.oneof(anyUrl, fc.constant('https://files.example/first.png')),
  endImageUrl: fc.option(anyUrl),
  promptOptimizer: fc.option(fc.boolean()),
  idempotencyKey: fc.option(anyText),
});

/** What the provider may say; it goes through the store as JSON, where every text survives. */
const failure = fc.record({
  code: fc.constantFrom(...PROVIDER_ERROR_CODES),
  providerCode: fc.option(anyText),
  message: anyText,
});

const time = fc.integer({ min: 0, max: 8_640_000_000_000_000 });

const step = fc.record({
  state: fc.constantFrom(...TASK_STATES),
  at: time,
  source: fc.constantFrom(
    'GATEWAY' as const,
    'CREATE_ANSWER' as const,
    'CALLBACK' as const,
    'QUERY' as const,
  ),
});

/** Many stores or many tasks, each commit of which is synced to a disk that others use too. */
const SLOW = { timeout: 60_000 };

describe.each(STORES)('$name', ({ open }) => {
  it('every valid input is stored exactly and found by its key', SLOW, async () => {
    const { store } = await open();
    let owners = 0;
    await fc.assert(
      fc.asyncProperty(input, async (given) => {
        const result = validateInput(given);
        if (!('valid' in result)) return;
        owners += 1;
        const { valid } = result;
        const task = hiddenTask({ ...valid, owner: `owner-${owners}` });
        expect(await store.insert(task)).toEqual(task);
        // Unlike `get`, which may be cached, a repeated insert returns the stored row.
        expect(await store.insert(task)).toEqual(task);
        if (valid.idempotencyKey !== null)
          expect(await store.getByKey(task.owner, valid.idempotencyKey)).toEqual(task);
      }),
      { numRuns: 300 },
    );
    expect(owners).toBeGreaterThan(10);
  });

  it('every written field is stored exactly', SLOW, async () => {
    const { store } = await open();
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          videos: fc.array(fc.record({ url: anyText, expiresAt: fc.option(time) }), { maxLength: 3 }),
          failure: fc.option(failure),
          refusal: fc.option(failure),
          // No store knows -0, and before Node.js 24.15 SQLite takes what is next to nothing for 0:
          // https://github.com/photostructure/node-sqlite/blob/v1.2.1/src/sqlite_impl.cpp#L2657
          creditsConsumed: fc.option(
            fc
              .double({ noNaN: true, noDefaultInfinity: true })
              .map((credits) => (Math.abs(credits) < 1e-15 ? 0 : credits)),
          ),
          updatedAt: time,
          completedAt: fc.option(time),
          expectedAt: fc.option(time),
          timeline: fc.array(step, { maxLength: 12 }),
          submitAt: time,
          notNowCount: fc.integer({ min: 0, max: 1_000_000 }),
          notNowSince: fc.option(time),
          markedAt: fc.option(time),
          unknownSince: fc.option(time),
          nextCheckAt: fc.option(time),
        }),
        async (fields) => {
          const first = await amended(store, { ...(await insertHidden(store)), ...fields });
          expect(await store.get(first.id)).toEqual(first);
          const second = await saved(store, first);
          expect(await store.changesAfter(first.owner, second.revision - 1, 1)).toEqual([second]);
        },
      ),
      { numRuns: 50 },
    );
  });
});
