import { expect, test } from 'vitest';
import { createOverloadJudge, type Load } from '../../src/limits/overload.ts';

const CALM: Load = { loopDelayMs: 0, heapUsed: 0.2, writeLagMs: 0 };

/** Whether the gateway is overloaded after each of these loads, with a limit of 100 ms. */
function judge(...loads: readonly Partial<Load>[]): boolean[] {
  const isTooMuch = createOverloadJudge(100);
  return loads.map((load) => isTooMuch({ ...CALM, ...load }));
}

const late = (loopDelayMs: number): Partial<Load> => ({ loopDelayMs });
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test('one long tick of the event loop, however long, is no overload, nor are two', () => {
  expect(judge(late(60_000), {}, late(60_000), late(60_000), {})).toEqual(times(5, false));
});

test.each([
  ['an event loop that is late', late(101)],
  ['writes that wait five times as long', { writeLagMs: 501 }],
  ['a memory that is nearly full', { heapUsed: 0.91 }],
])('%s is overload after three looks in a row', (_, bad) => {
  expect(judge(...times(4, bad))).toEqual([false, false, true, true]);
});

test('overload ends after four looks in a row below half of the limit', () => {
  const falling = [...times(3, late(49)), late(51), ...times(4, late(49))];
  expect(judge(...times(3, late(201)), ...falling).slice(3)).toEqual([...times(7, true), false]);
});

test('between half of the limit and the limit nothing changes', () => {
  expect(judge(...times(10, late(99)))).toEqual(times(10, false));
  expect(judge(...times(3, late(101)), ...times(10, late(51))).slice(2)).toEqual(times(11, true));
});
