import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createFeed } from '../../src/tasks/subscriptions/feed.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { waitingRecord } from '../websocket/stored-tasks.ts';

const noErrors = (error: unknown): never => {
  throw error;
};

function changeOf(fields: Partial<VisibleRecord>): VisibleRecord {
  return { ...waitingRecord(), revision: 1, ...fields };
}

describe('the feed', () => {
  test('calls a listener with every change since it attached, in order, before publish returns', () => {
    const feed = createFeed(noErrors);
    const told: number[] = [];
    feed.publish([changeOf({ id: 'a', revision: 1 })]);
    feed.onTask('a', (changes) => told.push(...changes.map(({ revision }) => revision)));
    feed.publish([changeOf({ id: 'a', revision: 2 }), changeOf({ id: 'a', revision: 3 })]);
    expect(told).toEqual([2, 3]);
  });

  test('calls each listener only for its own task or owner', () => {
    const feed = createFeed(noErrors);
    const told: string[] = [];
    feed.onTask('a', ([change]) => told.push(`task a: ${change?.id} of ${change?.owner}`));
    feed.onOwner('anna', ([change]) => told.push(`owner anna: ${change?.id} of ${change?.owner}`));
    feed.publish([
      changeOf({ id: 'a', owner: 'ben' }),
      changeOf({ id: 'b', owner: 'anna' }),
      // An owner and a task may have the same name.
      changeOf({ id: 'anna', owner: 'a' }),
    ]);
    expect(told).toEqual(['task a: a of ben', 'owner anna: b of anna']);
  });

  test('calls the listener of an owner once per publication', () => {
    const feed = createFeed(noErrors);
    const told: (readonly number[])[] = [];
    feed.onOwner('anna', (changes) => told.push(changes.map(({ revision }) => revision)));
    feed.publish([
      changeOf({ owner: 'anna', revision: 1 }),
      changeOf({ owner: 'ben', revision: 2 }),
      changeOf({ owner: 'anna', revision: 3 }),
    ]);
    expect(told).toEqual([[1, 3]]);
  });

  test('reports a listener that throws, and calls the others', () => {
    const errors: unknown[] = [];
    const feed = createFeed((error) => errors.push(error));
    const told: string[] = [];
    const broken = new Error('a broken listener');
    feed.onTask('a', () => {
      throw broken;
    });
    feed.onTask('a', () => told.push('same task'));
    feed.onOwner('anna', () => told.push('owner'));
    feed.publish([changeOf({ id: 'a', owner: 'anna' }), changeOf({ id: 'a', owner: 'anna' })]);
    expect(told).toEqual(['same task', 'same task', 'owner']);
    expect(errors).toEqual([broken, broken]);
  });

  test('detaches a listener at once, also repeatedly, and leaves the others attached', () => {
    const feed = createFeed(noErrors);
    const told: string[] = [];
    const detachFirst = feed.onTask('a', () => told.push('first'));
    feed.onTask('a', () => told.push('second'));
    detachFirst();
    detachFirst();
    feed.publish([changeOf({ id: 'a' })]);
    expect(told).toEqual(['second']);
    expect(feed.size()).toBe(1);
  });

  test('ignores a second detach, which leaves a newer listener of the same task attached', () => {
    const feed = createFeed(noErrors);
    const told: string[] = [];
    const detach = feed.onTask('a', () => told.push('old'));
    detach();
    feed.onTask('a', () => told.push('new'));
    detach();
    feed.publish([changeOf({ id: 'a' })]);
    expect(told).toEqual(['new']);
  });

  test('skips nobody when a listener detaches itself during a call', () => {
    const feed = createFeed(noErrors);
    const told: string[] = [];
    const detach = feed.onOwner('anna', () => {
      told.push('once');
      detach();
    });
    feed.onOwner('anna', () => told.push('always'));
    feed.publish([changeOf({ owner: 'anna' })]);
    feed.publish([changeOf({ owner: 'anna' })]);
    expect(told).toEqual(['once', 'always', 'always']);
  });

  test('calls a listener that attaches during a publication from the next change on', () => {
    const feed = createFeed(noErrors);
    const told: number[] = [];
    const detach = feed.onTask('a', () => {
      detach();
      feed.onTask('a', (changes) => told.push(...changes.map(({ revision }) => revision)));
    });
    feed.publish([changeOf({ id: 'a', revision: 1 }), changeOf({ id: 'a', revision: 2 })]);
    expect(told).toEqual([2]);
  });

  test('counts attached listeners', () => {
    const feed = createFeed(noErrors);
    const detach = [
      feed.onTask('a', () => undefined),
      feed.onTask('a', () => undefined),
      feed.onOwner('a', () => undefined),
    ];
    expect(feed.size()).toBe(3);
    for (const end of detach) end();
    expect(feed.size()).toBe(0);
  });

  test('calls slow listeners in later turns, in order, and others at once', async () => {
    const { feed, told, listen } = createSlowFeed();
    for (let count = 0; count < 100; count += 1) listen(`${count}`);
    feed.onOwner('ben', ([change]) => told.push(['ben', change?.revision ?? 0]));
    feed.publish([changeOf({ owner: 'anna', revision: 1 })]);
    const first = told.length;
    expect(first).toBeLessThan(20);
    feed.publish([changeOf({ owner: 'anna', revision: 2 })]);
    feed.publish([changeOf({ owner: 'ben', revision: 3 })]);
    // Those of the first one come first, and another owner waits for none of them.
    expect(told.slice(first)).toEqual([['ben', 3]]);
    await setImmediate();
    expect(told.length).toBeLessThan(40);
    while (told.length < 201) await setImmediate();
    for (let count = 0; count < 100; count += 1)
      expect(told.filter(([name]) => name === `${count}`).map(([, revision]) => revision)).toEqual([1, 2]);
  });

  test('serves busy owners round robin', async () => {
    const { feed, told, listen } = createSlowFeed();
    for (let count = 0; count < 40; count += 1) for (const owner of ['anna', 'ben']) listen(owner, owner);
    for (const owner of ['anna', 'ben']) feed.publish([changeOf({ owner })]);
    while (told.length < 80) await setImmediate();
    const order = told.map(([name]) => name);
    expect(order.lastIndexOf('anna')).toBeGreaterThan(order.indexOf('ben'));
    expect(order.indexOf('ben')).toBeLessThan(order.length / 2);
  });

  test('merges waiting changes to the newest of each task, in order of revision', async () => {
    const { feed, told, listen } = createSlowFeed();
    for (let count = 0; count < 20; count += 1) listen(`${count}`);
    for (let revision = 1; revision <= 1000; revision += 1)
      feed.publish([changeOf({ owner: 'anna', id: `task ${revision % 3}`, revision })]);
    while (told.filter(([, revision]) => revision === 1000).length < 20) await setImmediate();
    for (let count = 0; count < 20; count += 1) {
      const revisions = told.filter(([name]) => name === `${count}`).map(([, revision]) => revision);
      expect(revisions.length).toBeLessThan(200);
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      expect(revisions.slice(-3)).toEqual([998, 999, 1000]);
    }
  });

  test('drops waiting changes at a restart, and reports the restart', async () => {
    const { feed, told, listen } = createSlowFeed();
    for (let count = 0; count < 100; count += 1) listen(`${count}`);
    let restarts = 0;
    feed.onRestart(() => (restarts += 1));
    feed.publish([changeOf({ owner: 'anna', revision: 7 })]);
    const first = told.length;
    feed.restart();
    expect(restarts).toBe(1);
    await setImmediate();
    await setImmediate();
    expect(told).toHaveLength(first);
    feed.publish([changeOf({ owner: 'anna', revision: 5 })]);
    while (told.length < first + 100) await setImmediate();
    expect(told.slice(first).every(([, revision]) => revision === 5)).toBe(true);
  });
});

/** A feed to whose clock each listener takes a millisecond. */
function createSlowFeed() {
  let time = 0;
  const feed = createFeed(noErrors, () => time);
  const told: [name: string, revision: number][] = [];
  const listen = (name: string, owner = 'anna'): void => {
    feed.onOwner(owner, (changes) => {
      time += 1;
      for (const { revision } of changes) told.push([name, revision]);
    });
  };
  return { feed, told, listen };
}
