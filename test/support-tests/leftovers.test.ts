import { expect, test } from 'vitest';
import { disposeLeftovers, onTestEnd, recordFailure, takeFailures } from '../kit/waits.ts';

test('what was set up last is disposed of first', async () => {
  const order: string[] = [];
  onTestEnd(() => void order.push('first'));
  onTestEnd(async () => {
    await Promise.resolve();
    order.push('second');
  });

  await disposeLeftovers();

  expect(order).toEqual(['second', 'first']);
});

test('a disposal that throws fails the test and keeps no other one from running', async () => {
  const disposed: string[] = [];
  onTestEnd(() => void disposed.push('the other'));
  onTestEnd(() => Promise.reject(new Error('the port is stuck')));

  await expect(disposeLeftovers()).rejects.toThrow('the port is stuck');

  expect(disposed).toEqual(['the other']);
});

test('a recorded failure fails the test at its end', async () => {
  recordFailure('a request nobody expected');
  await expect(disposeLeftovers()).rejects.toThrow('a request nobody expected');
});

test('several failures are all named', async () => {
  recordFailure('one');
  recordFailure(new TypeError('two'));
  await expect(disposeLeftovers()).rejects.toThrow(/one[^]*two/);
});

test('a failure that the test expected and took no longer fails it', async () => {
  recordFailure('expected');
  expect(takeFailures().map(({ message }) => message)).toEqual(['expected']);
  await expect(disposeLeftovers()).resolves.toBeUndefined();
});

test('a disposal runs once only', async () => {
  let runs = 0;
  onTestEnd(() => void (runs += 1));
  await disposeLeftovers();
  await disposeLeftovers();
  expect(runs).toBe(1);
});

let disposedByHook = false;

test('the hook of the set-up file is left something to dispose of', () => {
  onTestEnd(() => void (disposedByHook = true));
  expect(disposedByHook).toBe(false);
});

test('and it has run when the next test begins', () => {
  expect(disposedByHook).toBe(true);
});
