import { describe, expect, test } from 'vitest';
import { TaskSubscription } from '../../src/tasks/subscriptions/subscription.ts';
import { staysPending } from '../kit/waits.ts';
import { changeOf, scriptedSource } from './scripted-source.ts';

const DONE = { done: true, value: undefined };

/** A watch over a source that the test plays. */
function watchSource(options: Parameters<typeof scriptedSource>[0] = {}) {
  const script = scriptedSource(options);
  const watch = new TaskSubscription({ source: script.source, after: 0, later: () => () => undefined });
  return { ...script, watch };
}

function valueOf(revision: number) {
  return { done: false, value: changeOf(revision) };
}

describe('a task subscription', () => {
  test('neither attaches nor reads before the first next()', async () => {
    const { attached, nextRead } = watchSource();
    expect(attached()).toBe(0);
    await staysPending(nextRead());
  });

  test('yields the page one by one, in order, then later changes', async () => {
    const { nextRead, tell, watch } = watchSource();
    const first = watch.next();
    (await nextRead()).answer([1, 2]);
    expect(await first).toEqual(valueOf(1));
    expect(await watch.next()).toEqual(valueOf(2));
    const third = watch.next();
    await staysPending(third);
    tell(3, 4);
    expect(await third).toEqual(valueOf(3));
    expect(await watch.next()).toEqual(valueOf(4));
  });

  test('buffers a hundred changes for a slow reader, and reads later ones from the store', async () => {
    const { nextRead, tell, watch } = watchSource();
    const first = watch.next();
    (await nextRead()).answer([1]);
    await first;
    for (let revision = 2; revision <= 150; revision += 1) tell(revision);
    for (let revision = 2; revision <= 101; revision += 1)
      expect(await watch.next()).toEqual(valueOf(revision));
    const next = watch.next();
    const read = await nextRead();
    expect(read.after).toBe(101);
    read.answer([150]);
    expect(await next).toEqual(valueOf(150));
  });

  test('buffers nothing for a slow reader if the newest change is enough', async () => {
    const { nextRead, tell, watch } = watchSource({ isNewestEnough: true });
    const first = watch.next();
    (await nextRead()).answer([1]);
    await first;
    tell(2);
    tell(3);
    const next = watch.next();
    (await nextRead()).answer([3]);
    expect(await next).toEqual(valueOf(3));
  });

  test('ends with its source, after the buffered changes', async () => {
    const { listeners, nextRead, watch } = watchSource({ end: 2 });
    const first = watch.next();
    (await nextRead()).answer([1, 2]);
    await first;
    expect(listeners()).toBe(0);
    expect(await watch.next()).toEqual(valueOf(2));
    expect(await watch.next()).toEqual(DONE);
    expect(await watch.return()).toEqual(DONE);
  });

  test('ends and detaches at once by return(), also while next() is pending', async () => {
    const { listeners, nextRead, watch } = watchSource();
    const next = watch.next();
    (await nextRead()).answer([]);
    await staysPending(next);
    expect(listeners()).toBe(1);
    expect(await watch.return()).toEqual(DONE);
    expect(await next).toEqual(DONE);
    expect(listeners()).toBe(0);
  });

  test('never attaches after return() before the first next()', async () => {
    const { attached, watch } = watchSource();
    await watch.return();
    expect(await watch.next()).toEqual(DONE);
    expect(attached()).toBe(0);
  });

  test('drops buffered changes at return()', async () => {
    const { nextRead, watch } = watchSource();
    const next = watch.next();
    (await nextRead()).answer([1, 2]);
    await next;
    await watch.return();
    expect(await watch.next()).toEqual(DONE);
  });

  test('fails once with the error of a read, and detaches', async () => {
    const { listeners, nextRead, watch } = watchSource();
    const failure = new Error('a failed read');
    const next = watch.next();
    (await nextRead()).fail(failure);
    await expect(next).rejects.toBe(failure);
    expect(await watch.next()).toEqual(DONE);
    expect(listeners()).toBe(0);
  });

  test('reports a failure at the next call, after the buffered changes', async () => {
    const { nextRead, watch } = watchSource();
    const failure = new Error('a failed read');
    const next = watch.next();
    (await nextRead()).answer([1, 2], { hasMore: true });
    expect(await next).toEqual(valueOf(1));
    (await nextRead()).fail(failure);
    expect(await watch.next()).toEqual(valueOf(2));
    await expect(watch.next()).rejects.toBe(failure);
    expect(await watch.next()).toEqual(DONE);
  });

  test('refuses a second next() while the first is pending, which still resolves', async () => {
    const { nextRead, watch } = watchSource();
    const first = watch.next();
    await expect(watch.next()).rejects.toThrow('another next() is pending');
    (await nextRead()).answer([1]);
    expect(await first).toEqual(valueOf(1));
  });

  test('detaches when a `for await` loop is left', async () => {
    const { listeners, nextRead, watch } = watchSource();
    const answered = nextRead().then((read) => {
      read.answer([1, 2]);
    });
    for await (const { revision } of watch) {
      expect(revision).toBe(1);
      break;
    }
    await answered;
    expect(listeners()).toBe(0);
  });
});
