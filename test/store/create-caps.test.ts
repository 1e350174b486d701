import { describe, expect, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { countWaiting } from '../kit/count-waiting.ts';
import { FAILURE, NOW, amended, hiddenTask, insertHidden, insertVisible } from './records.ts';
import { STORES } from './stores.ts';

const MINUTE = { limit: 2, windowMs: 60_000 };
const DAY = { limit: 3, windowMs: 86_400_000 };

/** Stores tasks of ann's that were created so many ms after NOW. */
async function insertAt(store: TaskStore, ...times: readonly number[]): Promise<void> {
  for (const time of times) await insertHidden(store, { createdAt: NOW + time });
}

function at(time: number, fields: Partial<TaskRecord> = {}): TaskRecord {
  return hiddenTask({ createdAt: NOW + time, ...fields });
}

describe.each(STORES)('$name', ({ open }) => {
  it('a cap admits as many tasks as it allows', async () => {
    const { store } = await open();
    await insertAt(store, 0);
    const second = at(1);
    expect(await store.insert(second, [MINUTE])).toEqual(second);
  });

  it('an insert beyond a cap adds nothing and returns when there is room', async () => {
    const { store } = await open();
    await insertAt(store, 5, 10);
    const third = at(20);
    expect(await store.insert(third, [MINUTE])).toEqual({ cap: MINUTE, freeAt: NOW + 5 + 60_000 });
    expect(await store.get(third.id)).toBeNull();
    expect(await countWaiting(store)).toBe(2);
  });

  it('a task counts against a cap for exactly one window', async () => {
    const { store } = await open();
    await insertAt(store, 0, 10);
    expect(await store.insert(at(59_999), [MINUTE])).toEqual({ cap: MINUTE, freeAt: NOW + 60_000 });
    const later = at(60_000);
    expect(await store.insert(later, [MINUTE])).toEqual(later);
  });

  it('a lowered cap returns when there is room under the new limit', async () => {
    const { store } = await open();
    await insertAt(store, 0, 10, 20, 30, 40);
    const reached = await store.insert(at(50), [MINUTE]);
    expect(reached).toEqual({ cap: MINUTE, freeAt: NOW + 30 + 60_000 });
    const then = at(30 + 60_000);
    expect(await store.insert(then, [MINUTE])).toEqual(then);
  });

  it('of several exceeded caps, the one that lasts longest is returned', async () => {
    const { store } = await open();
    await insertAt(store, 0, 10, 20);
    const reached = { cap: DAY, freeAt: NOW + 86_400_000 };
    expect(await store.insert(at(30), [MINUTE, DAY])).toEqual(reached);
    expect(await store.insert(at(30), [DAY, MINUTE])).toEqual(reached);
  });

  it('the order of caps does not matter', async () => {
    const { store } = await open();
    await insertAt(store, 0, 10);
    const reached = { cap: MINUTE, freeAt: NOW + 60_000 };
    expect(await store.insert(at(30), [DAY, MINUTE])).toEqual(reached);
    expect(await store.insert(at(30), [MINUTE, DAY])).toEqual(reached);
  });

  it('a cap counts visible, hidden and refused tasks', async () => {
    const { store } = await open();
    await insertVisible(store);
    const hidden = await insertHidden(store, { idempotencyKey: 'key' });
    await amended(store, { ...hidden, refusal: FAILURE, idempotencyKey: null });
    expect(await store.insert(at(1), [MINUTE])).toMatchObject({ cap: MINUTE });
  });

  it('a cap does not count tasks of other owners', async () => {
    const { store } = await open();
    await insertAt(store, 0, 1);
    const bobs = at(2, { owner: 'bob' });
    expect(await store.insert(bobs, [MINUTE])).toEqual(bobs);
  });

  it('an insert with a used key returns the twin even beyond a cap', async () => {
    const { store } = await open();
    const first = await insertHidden(store, { idempotencyKey: 'key' });
    await insertAt(store, 0);
    expect(await store.insert(at(1, { idempotencyKey: 'key' }), [MINUTE])).toEqual(first);
    const free = at(1, { idempotencyKey: 'another key' });
    expect(await store.insert(free, [MINUTE])).toMatchObject({ cap: MINUTE });
    const bobs = at(1, { idempotencyKey: 'key', owner: 'bob' });
    expect(await store.insert(bobs, [MINUTE])).toEqual(bobs);
  });

  it('a cap holds for concurrent inserts', async () => {
    const { store } = await open();
    const wishes = Array.from({ length: 20 }, () => store.insert(at(0), [DAY]));
    const added = (await Promise.all(wishes)).filter((answer) => 'id' in answer);
    expect([added.length, await countWaiting(store)]).toEqual([3, 3]);
  });

  it('a cap counts tasks of earlier processes', async () => {
    const first = await open();
    await insertAt(first.store, 0, 1);
    const { store } = await first.reopen();
    expect(await store.insert(at(2), [MINUTE])).toMatchObject({ cap: MINUTE });
  });
});
