import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createFeed } from '../../src/tasks/subscriptions/feed.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { waitingRecord } from '../websocket/stored-tasks.ts';

/** A feed to whose clock each listener takes a millisecond; what it has told and what went wrong. */
function start() {
  let time = 0;
  const errors: unknown[] = [];
  const feed = createFeed(
    (error) => errors.push(error),
    () => time,
  );
  const told: [name: string, id: string, revision: number][] = [];
  const take = (name: string) => (changes: readonly VisibleRecord[]) => {
    time += 1;
    for (const { id, revision } of changes) told.push([name, id, revision]);
  };
  const publish = (...changes: readonly Partial<VisibleRecord>[]): void => {
    feed.publish(
      changes.map((fields) => ({ ...waitingRecord({ id: 'a', owner: 'anna' }), revision: 1, ...fields })),
    );
  };
  const listen = (count: number, owner = 'anna'): void => {
    for (let index = 0; index < count; index += 1) feed.onOwner(owner, take(`${owner} ${index}`));
  };
  /** The revisions that one listener was told. */
  const revisionsOf = (name: string) =>
    told.filter(([who]) => who === name).map(([, , revision]) => revision);
  const until = async (count: number): Promise<void> => {
    while (told.length < count) await setImmediate();
  };
  return { errors, feed, listen, publish, revisionsOf, take, told, until };
}

describe('the feed', () => {
  test('tells a listener the later changes of its own task or owner, in order, before publish returns', () => {
    const { feed, publish, take, told } = start();
    publish({ revision: 1 });
    feed.onTask('a', take('task a'));
    feed.onOwner('anna', take('owner anna'));
    // An owner and a task may have the same name.
    publish({ owner: 'ben', revision: 2 }, { id: 'b', revision: 3 }, { id: 'anna', owner: 'a', revision: 4 });
    expect(told).toEqual([
      ['task a', 'a', 2],
      ['owner anna', 'b', 3],
    ]);
  });

  test('reports a listener that throws, and tells the others', () => {
    const { errors, feed, publish, take, told } = start();
    const broken = new Error('a broken listener');
    feed.onTask('a', () => {
      throw broken;
    });
    feed.onTask('a', take('same task'));
    feed.onOwner('anna', take('owner'));
    publish({});
    expect(told.map(([name]) => name)).toEqual(['same task', 'owner']);
    expect(errors).toEqual([broken]);
  });

  test('detaches a listener at once, also while it is told and repeatedly, and no other', () => {
    const { feed, publish, take, told } = start();
    const detach = feed.onTask('a', () => {
      detach();
      feed.onTask('a', take('new'));
    });
    feed.onTask('a', take('always'));
    publish({ revision: 1 }, { revision: 2 });
    detach();
    publish({ revision: 3 });
    expect(told.map(([name, , revision]) => `${name} ${revision}`)).toEqual([
      ...['always 1', 'always 2', 'new 2', 'always 3', 'new 3'],
    ]);
    expect(feed.size()).toBe(2);
    // Of a task that nobody listens to nothing is left, and a second detach harms no newer listener.
    const last = feed.onTask('b', take('old'));
    last();
    feed.onTask('b', take('newest'));
    last();
    publish({ id: 'b', revision: 4, owner: 'ben' });
    expect(told.at(-1)).toEqual(['newest', 'b', 4]);
  });

  test('tells many slow listeners in later turns, each in order, and no other owner waits for them', async () => {
    const { listen, publish, revisionsOf, told, until } = start();
    listen(100);
    listen(1, 'ben');
    publish({ revision: 1 });
    const first = told.length;
    // As many as fit into 5 ms.
    expect(first).toBe(5);
    publish({ revision: 2 });
    publish({ revision: 3, owner: 'ben' });
    expect(told.slice(first)).toEqual([['ben 0', 'a', 3]]);
    await setImmediate();
    expect(told.length).toBe(first + 6);
    await until(201);
    for (let index = 0; index < 100; index += 1) expect(revisionsOf(`anna ${index}`)).toEqual([1, 2]);
  });

  test('serves busy owners round robin', async () => {
    const { listen, publish, told, until } = start();
    for (const owner of ['anna', 'ben']) listen(40, owner);
    for (const owner of ['anna', 'ben']) publish({ owner });
    await until(80);
    const order = told.map(([name]) => name.split(' ')[0]);
    expect(order.lastIndexOf('anna')).toBeGreaterThan(order.indexOf('ben'));
    expect(order.indexOf('ben')).toBeLessThan(order.length / 2);
  });

  test('merges waiting changes to the newest of each task, in order of revision', async () => {
    const { listen, publish, revisionsOf } = start();
    listen(20);
    for (let revision = 1; revision <= 1000; revision += 1) publish({ id: `task ${revision % 3}`, revision });
    for (let index = 0; index < 20; index += 1) {
      while (revisionsOf(`anna ${index}`).at(-1) !== 1000) await setImmediate();
      const revisions = revisionsOf(`anna ${index}`);
      expect(revisions.length).toBeLessThan(200);
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      expect(revisions.slice(-3)).toEqual([998, 999, 1000]);
    }
  });

  test('drops waiting changes at a restart, and reports the restart', async () => {
    const { feed, listen, publish, told, until } = start();
    listen(100);
    let restarts = 0;
    feed.onRestart(() => (restarts += 1));
    publish({ revision: 7 });
    const first = told.length;
    feed.restart();
    expect(restarts).toBe(1);
    await setImmediate();
    await setImmediate();
    expect(told).toHaveLength(first);
    publish({ revision: 5 });
    await until(first + 100);
    expect(told.slice(first).every(([, , revision]) => revision === 5)).toBe(true);
  });
});
