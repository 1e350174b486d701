import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createBeginInTurns } from '../../src/limits/turns.ts';

/** Beginnings of which each takes `ms`, and the order in which they came. */
function createBeginnings(ms: number) {
  let time = 0;
  const begun: string[] = [];
  const inTurn = createBeginInTurns(() => time);
  return {
    begun,
    begin: (owner: string) =>
      inTurn(owner, async () => {
        time += ms;
        begun.push(owner);
        return Promise.resolve(owner);
      }),
  };
}

test('whoever has one operation to begin waits for one of each other owner, not for all of them', async () => {
  const { begin, begun } = createBeginnings(1);
  const all = Array.from({ length: 100 }, () => begin('ada'));
  expect(await begin('bob')).toBe('bob');
  await Promise.all(all);
  expect(begun.indexOf('bob')).toBe(1);
  expect(begun).toHaveLength(101);
});

test('an operation that comes while little has begun is begun at once', () => {
  const { begin, begun } = createBeginnings(1);
  void begin('ada');
  expect(begun).toEqual(['ada']);
});

test('whoever has small operations to begin waits for one large one of another owner, not for one each', async () => {
  let time = 0;
  const begun: string[] = [];
  const inTurn = createBeginInTurns(() => time);
  const begin = (owner: string, ms: number) =>
    inTurn(owner, async () => {
      time += ms;
      begun.push(owner);
      return Promise.resolve();
    });
  const large = Array.from({ length: 5 }, () => begin('ada', 20));
  await Promise.all([...large, ...Array.from({ length: 4 }, () => begin('bob', 0.25))]);
  expect(begun).toEqual(['ada', 'bob', 'bob', 'bob', 'bob', 'ada', 'ada', 'ada', 'ada']);
});

test('operations that each come by themselves share a slice', async () => {
  const { begin, begun } = createBeginnings(2);
  for (let count = 1; count <= 3; count += 1) await begin('ada');
  void begin('ada');
  await new Promise(process.nextTick);
  expect(begun).toHaveLength(3);
  while (begun.length < 4) await setImmediate();
});

test('many operations leave room for everything else in between', async () => {
  const { begin, begun } = createBeginnings(2);
  const all = Array.from({ length: 9 }, () => begin('ada'));
  const seen: number[] = [];
  while (begun.length < all.length) {
    await setImmediate();
    seen.push(begun.length);
  }
  expect([...new Set(seen)]).toEqual([3, 6, 9]);
});

test('an error of a beginning is the one of whoever asked for it, and the next ones go on', async () => {
  const inTurn = createBeginInTurns();
  const failed = inTurn('ada', () => Promise.reject(new Error('no')));
  const next = inTurn('ada', () => Promise.resolve('yes'));
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('yes');
});

test('what a beginning goes on with at once counts as well', async () => {
  let time = 0;
  const inTurn = createBeginInTurns(() => time);
  const all = Array.from({ length: 9 }, () =>
    inTurn('ada', async () => {
      await Promise.resolve();
      time += 2;
    }),
  );
  const seen: number[] = [];
  while (time < 18) {
    await setImmediate();
    seen.push(time);
  }
  expect([...new Set(seen)]).toEqual([6, 12, 18]);
  await Promise.all(all);
});
