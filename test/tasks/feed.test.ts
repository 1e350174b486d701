import { describe, expect, test } from 'vitest';
import { createFeed } from '../../src/tasks/feed.ts';
import type { AnnouncedRecord } from '../../src/tasks/task.ts';
import { waitingRecord } from '../live/stored-tasks.ts';

const noErrors = (error: unknown): never => {
  throw error;
};

function changeOf(fields: Partial<AnnouncedRecord>): AnnouncedRecord {
  return { ...waitingRecord(), revision: 1, ...fields };
}

describe('the feed', () => {
  test('tells a listener of everything from the moment it attaches, in order, before publish returns', () => {
    const feed = createFeed(noErrors);
    const told: number[] = [];
    feed.publish([changeOf({ id: 'a', revision: 1 })]);
    feed.onTask('a', (changes) => told.push(...changes.map(({ revision }) => revision)));
    feed.publish([changeOf({ id: 'a', revision: 2 }), changeOf({ id: 'a', revision: 3 })]);
    expect(told).toEqual([2, 3]);
  });

  test('tells each listener only of its own task or owner', () => {
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

  test('tells an owner’s listener in one call what was published in one', () => {
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

  test('a listener that throws is reported and harms nobody else', () => {
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

  test('detaching takes effect at once, as often as it is done, and leaves all others attached', () => {
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

  test('a late second detach does not detach whoever follows the same task now', () => {
    const feed = createFeed(noErrors);
    const told: string[] = [];
    const detach = feed.onTask('a', () => told.push('old'));
    detach();
    feed.onTask('a', () => told.push('new'));
    detach();
    feed.publish([changeOf({ id: 'a' })]);
    expect(told).toEqual(['new']);
  });

  test('a listener may detach itself while it is told, and nobody is passed over', () => {
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

  test('a listener that is attached while others are told hears from the next change on', () => {
    const feed = createFeed(noErrors);
    const told: number[] = [];
    const detach = feed.onTask('a', () => {
      detach();
      feed.onTask('a', (changes) => told.push(...changes.map(({ revision }) => revision)));
    });
    feed.publish([changeOf({ id: 'a', revision: 1 }), changeOf({ id: 'a', revision: 2 })]);
    expect(told).toEqual([2]);
  });

  test('counts whoever is attached now', () => {
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
});
