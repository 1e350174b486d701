import { describe, expect, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { countWaiting } from '../support/count-waiting.ts';
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

describe.each(STORES)('a cap on what an owner creates, in $name,', ({ open }) => {
  it('lets as many tasks through as it says', async () => {
    const { store } = await open();
    await insertAt(store, 0);
    const second = at(1);
    expect(await store.insert(second, [MINUTE])).toEqual(second);
  });

  it('adds nothing beyond that, and says when there is room', async () => {
    const { store } = await open();
    await insertAt(store, 5, 10);
    const third = at(20);
    expect(await store.insert(third, [MINUTE])).toEqual({ cap: MINUTE, freeAt: NOW + 5 + 60_000 });
    expect(await store.get(third.id)).toBeNull();
    expect(await countWaiting(store)).toBe(2);
  });

  it('forgets a task when its window has passed to the millisecond', async () => {
    const { store } = await open();
    await insertAt(store, 0, 10);
    expect(await store.insert(at(59_999), [MINUTE])).toEqual({ cap: MINUTE, freeAt: NOW + 60_000 });
    const later = at(60_000);
    expect(await store.insert(later, [MINUTE])).toEqual(later);
  });

  it('that has become smaller says when there is room under what it is now', async () => {
    const { store } = await open();
    await insertAt(store, 0, 10, 20, 30, 40);
    const reached = await store.insert(at(50), [MINUTE]);
    expect(reached).toEqual({ cap: MINUTE, freeAt: NOW + 30 + 60_000 });
    const then = at(30 + 60_000);
    expect(await store.insert(then, [MINUTE])).toEqual(then);
  });

  it('beside another one that is reached is told only when it lasts longer', async () => {
    const { store } = await open();
    await insertAt(store, 0, 10, 20);
    const reached = { cap: DAY, freeAt: NOW + 86_400_000 };
    expect(await store.insert(at(30), [MINUTE, DAY])).toEqual(reached);
    expect(await store.insert(at(30), [DAY, MINUTE])).toEqual(reached);
  });

  it('that alone is reached is told, wherever it stands', async () => {
    const { store } = await open();
    await insertAt(store, 0, 10);
    const reached = { cap: MINUTE, freeAt: NOW + 60_000 };
    expect(await store.insert(at(30), [DAY, MINUTE])).toEqual(reached);
    expect(await store.insert(at(30), [MINUTE, DAY])).toEqual(reached);
  });

  it('counts what is visible, what is hidden and what was refused alike', async () => {
    const { store } = await open();
    await insertVisible(store);
    const hidden = await insertHidden(store, { idempotencyKey: 'key' });
    await amended(store, { ...hidden, refusal: FAILURE, idempotencyKey: null });
    expect(await store.insert(at(1), [MINUTE])).toMatchObject({ cap: MINUTE });
  });

  it('counts nothing of another owner', async () => {
    const { store } = await open();
    await insertAt(store, 0, 1);
    const bobs = at(2, { owner: 'bob' });
    expect(await store.insert(bobs, [MINUTE])).toEqual(bobs);
  });

  it('finds the task of a key in use, also when it is reached', async () => {
    const { store } = await open();
    const first = await insertHidden(store, { idempotencyKey: 'key' });
    await insertAt(store, 0);
    expect(await store.insert(at(1, { idempotencyKey: 'key' }), [MINUTE])).toEqual(first);
    const free = at(1, { idempotencyKey: 'another key' });
    expect(await store.insert(free, [MINUTE])).toMatchObject({ cap: MINUTE });
    const bobs = at(1, { idempotencyKey: 'key', owner: 'bob' });
    expect(await store.insert(bobs, [MINUTE])).toEqual(bobs);
  });

  it('lets no more through of many that arrive together', async () => {
    const { store } = await open();
    const wishes = Array.from({ length: 20 }, () => store.insert(at(0), [DAY]));
    const added = (await Promise.all(wishes)).filter((answer) => 'id' in answer);
    expect([added.length, await countWaiting(store)]).toEqual([3, 3]);
  });

  it('counts what an earlier process stored', async () => {
    const first = await open();
    await insertAt(first.store, 0, 1);
    const { store } = await first.reopen();
    expect(await store.insert(at(2), [MINUTE])).toMatchObject({ cap: MINUTE });
  });
});
