import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { type Group, createResults, type Results } from '../../src/websocket/group.ts';
import { eventually } from './eventually.ts';

const MB = 1_000_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function createGroup(): Group {
  return {
    render: () => {
      throw new Error('nobody asks it');
    },
  };
}

/** In a function of its own: what a running one has had in its hands may be kept alive by it. */
function keepForAnother(results: Results): void {
  for (let revision = 0; revision < 20; revision += 1)
    results.keep(createGroup(), revision, new Uint8Array(MB));
}

function bytesInUse(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

describe('kept results', () => {
  test('are found by their group and revision', () => {
    const results = createResults(MB);
    const [ours, theirs] = [createGroup(), createGroup()];
    const json = new Uint8Array(1);
    results.keep(ours, 1, json);
    expect(results.get(ours, 1)).toBe(json);
    expect(results.get(ours, 2)).toBeUndefined();
    expect(results.get(theirs, 1)).toBeUndefined();
  });

  test('of all groups together take no more memory than they may, however many are made', async () => {
    const results = createResults(5 * MB);
    const groups = Array.from({ length: 10 }, createGroup);
    const before = bytesInUse();
    for (let revision = 0; revision < 1000; revision += 1)
      for (const group of groups) results.keep(group, revision, new Uint8Array(10_000));
    await eventually('all others are freed', () => bytesInUse() - before < 5 * MB);
    expect(groups.every((group) => results.get(group, 999))).toBe(true);
  });

  test('leave with their group', async () => {
    const results = createResults(100 * MB);
    const before = bytesInUse();
    keepForAnother(results);
    await eventually('they are freed', () => bytesInUse() - before < MB);
  });

  test('stay as long as they are asked for, while others come and go', () => {
    const results = createResults(MB);
    const group = createGroup();
    results.keep(group, 0, new Uint8Array(10_000));
    for (let revision = 1; revision <= 1000; revision += 1) {
      results.keep(group, revision, new Uint8Array(10_000));
      expect(results.get(group, 0)).toBeDefined();
    }
    expect(results.get(group, 500)).toBeUndefined();
  });

  test('include the last one, however long it is', () => {
    const results = createResults(MB);
    const group = createGroup();
    results.keep(group, 1, new Uint8Array(2 * MB));
    expect(results.get(group, 1)).toBeDefined();
  });

  test('that are to be forgotten are, also when they are old', () => {
    const results = createResults(MB);
    const group = createGroup();
    results.keep(group, 1, new Uint8Array(10));
    // More than half of what may be kept: the first one has grown old.
    results.keep(group, 2, new Uint8Array(0.6 * MB));
    results.forget(group, 1);
    expect(results.get(group, 1)).toBeUndefined();
  });
});
