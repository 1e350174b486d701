import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_MODEL, withDefaults } from '../../src/models/index.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import {
  isVisible,
  TASK_STATES,
  type TaskRecord,
  type TaskState,
  type VisibleRecord,
} from '../../src/tasks/task.ts';
import { NOW, hiddenTask } from './records.ts';
import { STORES } from './stores.ts';

/** The simplest task store: a list in memory with one writer at a time. */
class StoreModel {
  readonly #records = new Map<string, TaskRecord>();
  /** Everything that was told, in order. */
  readonly told: VisibleRecord[] = [];

  /** All tasks, in the order in which they were added. */
  all(): readonly TaskRecord[] {
    return [...this.#records.values()];
  }

  byKey(owner: string, idempotencyKey: string): TaskRecord | null {
    return this.all().find((one) => one.owner === owner && one.idempotencyKey === idempotencyKey) ?? null;
  }

  insert(record: TaskRecord): TaskRecord {
    const { idempotencyKey, owner } = record;
    const twin = idempotencyKey === null ? null : this.byKey(owner, idempotencyKey);
    if (!twin) this.#records.set(record.id, record);
    return twin ?? record;
  }

  /** `revision` is the one that the real store chose; the model only judges it. */
  save(next: TaskRecord, revision: number): VisibleRecord | null {
    const written = this.amend({ ...next, revision });
    if (!written) return null;
    this.told.push({ ...written, revision });
    return { ...written, revision };
  }

  amend(next: TaskRecord): TaskRecord | null {
    const stored = this.#records.get(next.id);
    if (stored?.version !== next.version) return null;
    const written = { ...next, version: next.version + 1 };
    // The client's input and the owner never change.
    this.#records.set(next.id, {
      ...written,
      owner: stored.owner,
      prompt: stored.prompt,
      options: stored.options,
    });
    return written;
  }

  page(
    owner: string,
    below: { readonly createdAt: number; readonly id: string } | null,
    states: readonly TaskState[],
  ) {
    return this.#visible(owner)
      .filter(({ state }) => states.length === 0 || states.includes(state))
      .sort((one, other) => (isBelow(one, other) ? 1 : -1))
      .filter((record) => below === null || isBelow(record, below));
  }

  changesAfter(owner: string, revision: number): VisibleRecord[] {
    return this.#visible(owner)
      .filter((record) => record.revision > revision)
      .sort((one, other) => one.revision - other.revision);
  }

  #visible(owner: string): VisibleRecord[] {
    return this.all()
      .filter(isVisible)
      .filter((record) => record.owner === owner);
  }
}

interface Place {
  readonly createdAt: number;
  readonly id: string;
}

function isBelow(one: Place, other: Place): boolean {
  return one.createdAt < other.createdAt || (one.createdAt === other.createdAt && one.id < other.id);
}

const OPTIONS = withDefaults(DEFAULT_MODEL);
const KEYS = ['key', 'KEY', 'key ', 'kéy'];

/** Owners and tasks are named by numbers; `isLate` writes on top of an old read, `forgery` changes what never changes. */
const write = fc.oneof(
  fc.record({
    kind: fc.constant('insert' as const),
    owner: fc.nat(1),
    idempotencyKey: fc.constantFrom(...KEYS, KEYS[0], null, null, null),
    createdAt: fc.constantFrom(NOW, NOW + 1),
  }),
  fc.record({
    kind: fc.constantFrom('save' as const, 'amend' as const),
    task: fc.nat(),
    isLate: fc.boolean(),
    forgery: fc.constantFrom(
      {},
      {},
      { owner: 'eve', prompt: 'another' },
      { options: { ...OPTIONS, seed: 7 } },
    ),
    dropsKey: fc.boolean(),
    state: fc.constantFrom(...TASK_STATES),
  }),
);
type Write = typeof write extends fc.Arbitrary<infer T> ? T : never;

/** Writes that are begun together, or the end of one process and the start of the next. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.array(write, { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constant('reopen' as const) },
);

/** How pages and changes are asked for. */
const query = fc.record({
  limit: fc.integer({ min: 1, max: 4 }),
  states: fc.array(fc.constantFrom(...TASK_STATES), { maxLength: 3 }),
  at: fc.nat(),
});
type Query = typeof query extends fc.Arbitrary<infer T> ? T : never;

interface World {
  readonly store: TaskStore;
  readonly model: StoreModel;
  readonly owners: readonly string[];
}

/** Begins a write on the real store; the returned function does the same to the model and compares. */
function begin({ model, owners, store }: World, reads: readonly TaskRecord[], what: Write) {
  if (what.kind === 'insert') {
    const { createdAt, idempotencyKey = null } = what;
    const record = hiddenTask({ createdAt, idempotencyKey, owner: owners[what.owner] ?? '' });
    const done = store.insert(record);
    return async () => {
      expect(await done).toEqual(model.insert(record));
    };
  }
  const known = what.isLate ? reads : model.all();
  const read = known[what.task % known.length];
  if (!read) return () => Promise.resolve();
  const { dropsKey, forgery, state } = what;
  const next: TaskRecord = {
    ...read,
    state,
    providerTaskId: state === 'SUBMITTING' ? null : `kie-${read.id}`,
    ...(dropsKey && { idempotencyKey: null }),
    ...forgery,
  };
  if (what.kind === 'amend') {
    const done = store.amend(next);
    return async () => {
      expect(await done).toEqual(model.amend(next));
    };
  }
  const done = store.save(next);
  return async () => {
    const written = await done;
    const newest = model.told.at(-1)?.revision ?? 0;
    if (written) expect(written.revision).toBeGreaterThan(newest);
    expect(written).toEqual(model.save(next, written?.revision ?? newest + 1));
  };
}

/** The lists of the store are those of the model. */
async function compareLists({ model, owners, store }: World, { at, limit, states }: Query): Promise<void> {
  const records = model.all();
  const place = records[at % records.length] ?? null;
  const revisions = [0, ...model.told.map(({ revision }) => revision)];
  const after = revisions[at % revisions.length] ?? 0;
  for (const owner of owners) {
    for (const below of [null, place])
      expect(await store.page(owner, { limit, below, states })).toEqual(
        model.page(owner, below, states).slice(0, limit),
      );
    expect(await store.changesAfter(owner, after, limit)).toEqual(
      model.changesAfter(owner, after).slice(0, limit),
    );
  }
  if (place) expect(await store.get(place.id)).toEqual(place);
  expect(await store.newestRevision()).toBeGreaterThanOrEqual(revisions.at(-1) ?? 0);
}

/** Every task is found by those who may find it, and by nobody else. */
async function compareTasks({ model, owners, store }: World): Promise<void> {
  for (const owner of owners) {
    expect(await store.page(owner, { limit: 100, below: null, states: [] })).toEqual(
      model.page(owner, null, []),
    );
    expect(await store.changesAfter(owner, 0, 100)).toEqual(model.changesAfter(owner, 0));
    for (const key of KEYS) expect(await store.getByKey(owner, key)).toEqual(model.byKey(owner, key));
  }
  for (const record of model.all()) {
    const { id, owner, providerTaskId } = record;
    const stranger = owners.find((one) => one !== owner) ?? '';
    const visible = isVisible(record) ? record : null;
    expect(await store.get(id)).toEqual(record);
    expect(await store.holderOf(`kie-${id}`)).toBe(providerTaskId === null ? null : id);
    expect(await store.find(owner, id)).toEqual(visible);
    expect(await store.find(owner, `kie-${id}`)).toEqual(providerTaskId === null ? null : visible);
    for (const one of [id, `kie-${id}`]) expect(await store.find(stranger, one)).toBeNull();
  }
}

describe.each(STORES)('$name', ({ open }) => {
  it('the store behaves like a list in memory under concurrent, stale and restarted writes', async () => {
    let opened = await open();
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, query), { maxLength: 12 }), async (steps) => {
        const model = new StoreModel();
        runs += 1;
        const owners = [`ann-${runs}`, `bob-${runs}`];
        const told: VisibleRecord[] = [];
        let reads: readonly TaskRecord[] = [];
        for (const [what, how] of steps) {
          if (what === 'reopen') {
            opened = await opened.reopen();
          } else {
            const before = model.all();
            const from = opened.told.length;
            const world = { store: opened.store, model, owners };
            for (const judge of what.map((one) => begin(world, reads, one))) await judge();
            told.push(...opened.told.slice(from).flat());
            reads = before;
          }
          await compareLists({ store: opened.store, model, owners }, how);
        }
        await compareTasks({ store: opened.store, model, owners });
        // Beside other processes a change may be read back, and be told later.
        if (opened.connections.isExclusive) expect(told).toEqual(model.told);
      }),
      { numRuns: 20 },
    );
  });
});
