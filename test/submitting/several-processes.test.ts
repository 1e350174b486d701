import { describe, expect, test } from 'vitest';
import { staysPending, deferred } from '../kit/waits.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { created, notVisibleYet, refused } from '../kit/kie.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';
import { openLives } from './lives.ts';
import { acceptedAsPrompt, promptOf } from './wishes.ts';

const IMAGE = { imageUrl: 'https://files.example/first.png' };
const WISH = { ...IMAGE, prompt: 'snow', idempotencyKey: 'one' };
/** Who is not told of an outcome looks for it. */
const timings = { outcomeLook: 10 };

describe('a twin in another replica', () => {
  test('waits for the outcome and returns the same task, which is sent once', async () => {
    const provider = await startFakeProvider();
    const lives = await openLives(provider);
    const [first, second] = [lives.start({ timings }), lives.start({ timings })];
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const wishes = [first.create('ann', WISH)];
    await provider.received('createTask');
    wishes.push(second.create('ann', WISH));
    await staysPending(Promise.race(wishes));
    answer.resolve();
    const [one, other] = await Promise.all(wishes);
    expect(one).toMatchObject({ kind: 'success', task: { state: 'WAITING', providerTaskId: 'kie-1' } });
    expect(other).toEqual(one);
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  test('is refused with it, and the key is free again', async () => {
    const provider = await startFakeProvider();
    const lives = await openLives(provider);
    const [first, second] = [lives.start({ timings }), lives.start({ timings })];
    const answer = deferred();
    provider.answer('createTask', { ...refused(402, 'Top up'), gate: answer.promise }, created('kie-2'));
    const wishes = [first.create('ann', WISH)];
    await provider.received('createTask');
    wishes.push(second.create('ann', WISH));
    await staysPending(Promise.race(wishes));
    answer.resolve();
    const failure = { code: 'INSUFFICIENT_CREDITS', providerCode: '402', message: 'Top up' };
    expect(await Promise.all(wishes)).toEqual(Array(2).fill({ kind: 'refused', failure }));
    expect(await second.create('ann', WISH)).toMatchObject({ kind: 'success' });
  });

  test('returns a SUBMITTING task as soon as the outcome is unknown', async () => {
    const provider = await startFakeProvider();
    const lives = await openLives(provider);
    const [first, second] = [lives.start({ timings }), lives.start({ timings })];
    const answer = deferred();
    provider.answer('createTask', { reset: true, gate: answer.promise });
    const wishes = [first.create('ann', WISH)];
    await provider.received('createTask');
    wishes.push(second.create('ann', WISH));
    answer.resolve();
    const [one, other] = await Promise.all(wishes);
    expect(one).toMatchObject({ kind: 'success', task: { state: 'SUBMITTING' } });
    expect(other).toEqual(one);
    // A twin that comes later has nothing to wait for either.
    expect(await second.create('ann', WISH)).toEqual(one);
  });

  test('creates the task again when it was deleted unsent after a crash', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'));
    const lives = await openLives(provider);
    const clock = createStandingClock();
    void lives.stillborn({ clock }).create('ann', WISH);
    const orphan = await lives.stored();
    const twin = lives.start({ timings }).create('ann', WISH);
    expect((await lives.stored()).id).toBe(orphan.id);
    expect(await lives.store.sweepOrphans(Infinity)).toBe(1);
    expect(await twin).toMatchObject({ kind: 'success', task: { providerTaskId: 'kie-1' } });
    expect(await lives.store.get(orphan.id)).toBeNull();
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

test('owners are served round robin over all replicas, oldest task first', async () => {
  const provider = await startFakeProvider();
  provider.always('createTask', acceptedAsPrompt);
  provider.always('recordInfo', notVisibleYet());
  const lives = await openLives(provider);
  const clock = createStandingClock();
  const tasks = lives.start({ clock, timings: { createsPerWindow: 2, createWait: 0 } });
  for (const wish of ['cat 1', 'cat 2', 'ann 1', 'ann 2', 'ann 3', 'ann 4', 'bob 1', 'bob 2']) {
    await tasks.create(wish.slice(0, 3), { ...IMAGE, prompt: wish });
    clock.advance(1);
  }
  const windows: string[] = [];
  for (let window = 0; window < 4; window += 1) {
    const both = [await provider.received('createTask'), await provider.received('createTask')];
    windows.push(both.map(promptOf).sort().join(', '));
    clock.advance(10_500);
  }
  expect(windows).toEqual(['cat 1, cat 2', 'ann 1, bob 1', 'ann 2, bob 2', 'ann 3, ann 4']);
});
