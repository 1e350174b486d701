import fc from 'fast-check';
import { expect, describe, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import { isVisible, TASK_STATES, type TaskRecord, type VisibleRecord } from '../../src/tasks/task.ts';
import { NOW, hiddenTask } from './records.ts';
import { STORES, type Opened } from './stores.ts';

/** The simplest task store: a list in memory with one writer at a time. */
class StoreModel {
  readonly #records = new Map<string, TaskRecord>();
  /** Every visible state ever written, in order. */
  readonly history: VisibleRecord[] = [];

  /** All tasks, in the order in which they were added. */
  all(): readonly TaskRecord[] {
    return [...this.#records.values()];
  }

  insert(record: TaskRecord): TaskRecord {
    const holder = this.all().find(
      ({ idempotencyKey, owner }) => owner === record.owner && idempotencyKey === record.idempotencyKey,
    );
    if (record.idempotencyKey !== null && holder) return holder;
    this.#records.set(record.id, record);
    return record;
  }

  /** `revision` is the one that the real store chose; the model only judges it. */
  save(next: TaskRecord, revision: number | null): VisibleRecord | null {
    if (!this.#isFresh(next) || revision === null) return null;
    const written = { ...next, revision, version: next.version + 1 };
    this.#records.set(next.id, written);
    this.history.push(written);
    return written;
  }

  amend(next: TaskRecord): TaskRecord | null {
    if (!this.#isFresh(next)) return null;
    const written = { ...next, version: next.version + 1 };
    this.#records.set(next.id, written);
    return written;
  }

  page(owner: string): VisibleRecord[] {
    return this.#visible(owner).sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
  }

  changesAfter(owner: string, revision: number): VisibleRecord[] {
    return this.#visible(owner)
      .filter((record) => record.revision > revision)
      .sort((a, b) => a.revision - b.revision);
  }

  #isFresh(next: TaskRecord): boolean {
    return this.#records.get(next.id)?.version === next.version;
  }

  #visible(owner: string): VisibleRecord[] {
    return this.all()
      .filter(isVisible)
      .filter((record) => record.owner === owner);
  }
}

const OWNERS = ['ann', 'bob'] as const;

/** Tasks are named by a number that is taken modulo how many there are; `isLate` writes on top of an old read. */
const write = fc.oneof(
  fc.record({
    kind: fc.constant('insert' as const),
    owner: fc.constantFrom(...OWNERS),
    idempotencyKey: fc.constantFrom('key', 'other key', null, null),
    createdAt: fc.constantFrom(NOW, NOW + 1),
  }),
  fc.record({
    kind: fc.constantFrom('save' as const, 'amend' as const),
    task: fc.nat(),
    isLate: fc.boolean(),
    state: fc.constantFrom(...TASK_STATES),
  }),
);
type Write = typeof write extends fc.Arbitrary<infer T> ? T : never;

/** Writes that are begun together, or the end of one process and the start of the next. */
const step = fc.oneof(
  { weight: 5, arbitrary: fc.array(write, { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constant('reopen' as const) },
);

/** Begins a write on the real store; the returned function does the same to the model and compares. */
function begin(store: TaskStore, model: StoreModel, reads: readonly TaskRecord[], what: Write) {
  if (what.kind === 'insert') {
    const { createdAt, idempotencyKey, owner } = what;
    const record = hiddenTask({ createdAt, idempotencyKey, owner });
    const done = store.insert(record);
    return async () => {
      expect(await done).toEqual(model.insert(record));
    };
  }
  const known = what.isLate ? reads : model.all();
  const read = known[what.task % known.length];
  if (!read) return () => Promise.resolve();
  const next = { ...read, state: what.state };
  if (what.kind === 'amend') {
    const done = store.amend(next);
    return async () => {
      expect(await done).toEqual(model.amend(next));
    };
  }
  const done = store.save(next);
  return async () => {
    const written = await done;
    const newest = model.history.at(-1)?.revision ?? 0;
    if (written) expect(written.revision).toBeGreaterThan(newest);
    expect(written).toEqual(model.save(next, written?.revision ?? newest + 1));
  };
}

/** Every way of reading shows what the model shows. */
async function compare(store: TaskStore, model: StoreModel): Promise<void> {
  const revisions = [0, ...model.history.map(({ revision }) => revision)];
  const reads = [
    ...OWNERS.flatMap((owner) => [
      expect(store.page(owner, { limit: 100, below: null, states: [] })).resolves.toEqual(model.page(owner)),
      ...revisions.map((after) =>
        expect(store.changesAfter(owner, after, 100)).resolves.toEqual(model.changesAfter(owner, after)),
      ),
    ]),
    ...model
      .all()
      .flatMap((record) => [
        expect(store.get(record.id)).resolves.toEqual(record),
        expect(store.find(record.owner, record.id)).resolves.toEqual(
          record.revision === null ? null : record,
        ),
      ]),
  ];
  await Promise.all(reads);
  expect(await store.newestRevision()).toBeGreaterThanOrEqual(revisions.at(-1) ?? 0);
}

describe.each(STORES)('$name', ({ open }) => {
  it('the store behaves like a list in memory under concurrent, stale and restarted writes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const model = new StoreModel();
        const told: unknown[] = [];
        let opened: Opened = await open((changes) => told.push(...changes));
        let reads: readonly TaskRecord[] = [];
        for (const what of steps) {
          if (what === 'reopen') {
            opened = await opened.reopen();
          } else {
            const before = model.all();
            for (const judge of what.map((one) => begin(opened.store, model, reads, one))) await judge();
            reads = before;
          }
          await compare(opened.store, model);
        }
        expect(told).toEqual(model.history);
        await opened.close();
      }),
      { numRuns: 15 },
    );
  });
});
