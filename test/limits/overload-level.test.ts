import { expect, test } from 'vitest';
import { createOverloadLevel, type Load } from '../../src/server/overload-level.ts';

const CALM: Load = { loopDelayMs: 0, heapUsed: 0.2, writeLagMs: 0 };

/** The levels after looks at these loads, with a limit of 100 ms. */
function levels(...loads: readonly Partial<Load>[]): number[] {
  const after = createOverloadLevel(100);
  return loads.map((load) => after({ ...CALM, ...load }));
}

const late = (loopDelayMs: number): Partial<Load> => ({ loopDelayMs });
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test('one long turn of the event loop, however long, is no overload, nor are two', () => {
  expect(levels(late(60_000), {}, late(60_000), late(60_000), {})).toEqual([0, 0, 0, 0, 0]);
});

test.each([
  ['an event loop that is late', late(101), late(201)],
  ['writes that wait five times as long', { writeLagMs: 501 }, { writeLagMs: 1001 }],
  ['a memory that is nearly full', { heapUsed: 0.91 }, { heapUsed: 0.96 }],
])(
  '%s is one after three looks in a row, and a worse one after three that are twice as bad',
  (_, bad, worse) => {
    expect(levels(...times(6, bad))).toEqual([0, 0, 1, 1, 1, 1]);
    expect(levels(...times(6, worse))).toEqual([0, 0, 1, 1, 1, 2]);
    expect(levels(...times(9, worse)).at(-1)).toBe(2);
  },
);

test('it is over, level by level, after four looks in a row below half of its limit', () => {
  const risen = times(6, late(201));
  const falling = [...times(4, late(99)), ...times(4, late(49))];
  expect(levels(...risen, ...falling).slice(6)).toEqual([2, 2, 2, 1, 1, 1, 1, 0]);
});

test('between half of the limit and the limit nothing changes', () => {
  expect(levels(...times(10, late(99)))).toEqual(times(10, 0));
  expect(levels(...times(3, late(101)), ...times(10, late(51))).slice(2)).toEqual(times(11, 1));
});
