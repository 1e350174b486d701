import { expect, test } from 'vitest';
import { createQueue, takeWaits } from '../kit/waits.ts';

test('a value that came before anybody waited is taken at once', async () => {
  const queue = createQueue<number>('a number');
  queue.push(1);
  await expect(queue.take()).resolves.toBe(1);
});

test('two who wait get one value each, in the order in which they came', async () => {
  const queue = createQueue<number>('a number');
  const taken = Promise.all([queue.take(), queue.take()]);
  queue.push(1);
  queue.push(2);
  await expect(taken).resolves.toEqual([1, 2]);
});

test('a value that one who waits does not accept is kept for the next one', async () => {
  const queue = createQueue<number>('a number');
  const even = queue.take((value) => value % 2 === 0);
  queue.push(1);
  queue.push(2);
  await expect(even).resolves.toBe(2);
  await expect(queue.take()).resolves.toBe(1);
});

test('a failed queue gives what it holds and then rejects, also those who waited already', async () => {
  const queue = createQueue<number>('a number');
  const waiting = queue.take((value) => value > 1);
  queue.push(1);
  queue.fail(new Error('no more numbers'));
  await expect(waiting).rejects.toThrow('no more numbers');
  await expect(queue.take()).resolves.toBe(1);
  await expect(queue.take()).rejects.toThrow('no more numbers');
});

test('what has not come yet is known by name', async () => {
  const queue = createQueue<number>('a number');
  const waiting = queue.take();
  expect(takeWaits()).toEqual(['a number']);
  queue.push(1);
  await waiting;
});

test('what has come is waited for no longer', async () => {
  const queue = createQueue<number>('a number');
  queue.push(1);
  await queue.take();
  expect(takeWaits()).toEqual([]);
});
