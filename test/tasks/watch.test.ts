import { describe, expect, test } from 'vitest';
import type { AnnouncedRecord } from '../../src/tasks/task.ts';
import { SourceWatch, type WatchSource } from '../../src/tasks/watch.ts';
import { waitingRecord } from '../live/stored-tasks.ts';
import { staysPending } from '../support/absence.ts';
import { deferred, type Deferred } from '../support/deferred.ts';
import { createQueue } from '../support/queue.ts';

type Pulled = Awaited<ReturnType<WatchSource['pull']>>;

const DONE = { done: true, value: undefined };

const TASK = waitingRecord();

function changeOf(revision: number): AnnouncedRecord {
  return { ...TASK, revision };
}

/** A watch over a source that the test answers for, pull by pull. */
function watchSource() {
  const pulls = createQueue<Deferred<Pulled>>('a pull of the watch');
  let detached = 0;
  let running = 0;
  const watch = new SourceWatch({
    async pull() {
      running += 1;
      if (running > 1) throw new Error('pulled again before the last pull was settled');
      const answer = deferred<Pulled>();
      pulls.push(answer);
      try {
        return await answer.promise;
      } finally {
        running -= 1;
      }
    },
    detach: () => (detached += 1),
  });
  return { watch, nextPull: () => pulls.take(), detached: () => detached };
}

describe('a watch', () => {
  test('reads nothing before it is asked, woken or not', async () => {
    const { nextPull, watch } = watchSource();
    watch.wake();
    await staysPending(nextPull());
  });

  test('gives what it pulled one by one, in order, and pulls again only when all is read', async () => {
    const { nextPull, watch } = watchSource();
    const first = watch.next();
    (await nextPull()).resolve([changeOf(1), changeOf(2)]);
    expect(await first).toEqual({ done: false, value: changeOf(1) });
    watch.wake();
    expect(await watch.next()).toEqual({ done: false, value: changeOf(2) });
    const third = watch.next();
    (await nextPull()).resolve([changeOf(3)]);
    expect(await third).toEqual({ done: false, value: changeOf(3) });
  });

  test('waits when there is nothing, and pulls when it is woken', async () => {
    const { nextPull, watch } = watchSource();
    const next = watch.next();
    (await nextPull()).resolve('wait');
    await staysPending(next);
    watch.wake();
    (await nextPull()).resolve([changeOf(1)]);
    expect(await next).toEqual({ done: false, value: changeOf(1) });
  });

  test('woken during a pull that finds nothing, pulls again by itself', async () => {
    const { nextPull, watch } = watchSource();
    const next = watch.next();
    const pull = await nextPull();
    watch.wake();
    pull.resolve('wait');
    (await nextPull()).resolve([changeOf(1)]);
    expect(await next).toEqual({ done: false, value: changeOf(1) });
  });

  test('an empty page is nothing to give', async () => {
    const { nextPull, watch } = watchSource();
    const next = watch.next();
    (await nextPull()).resolve([]);
    await staysPending(next);
    watch.wake();
    (await nextPull()).resolve([changeOf(1)]);
    expect(await next).toEqual({ done: false, value: changeOf(1) });
  });

  test("ends with its source's end, and detaches once", async () => {
    const { detached, nextPull, watch } = watchSource();
    const next = watch.next();
    (await nextPull()).resolve('end');
    expect(await next).toEqual(DONE);
    expect(await watch.next()).toEqual(DONE);
    expect(await watch.return()).toEqual(DONE);
    expect(detached()).toBe(1);
  });

  test('return() ends it at once while next() waits, and detaches exactly once', async () => {
    const { detached, nextPull, watch } = watchSource();
    const next = watch.next();
    (await nextPull()).resolve('wait');
    await staysPending(next);
    expect(await watch.return()).toEqual(DONE);
    expect(await next).toEqual(DONE);
    expect(detached()).toBe(1);
    await watch.return();
    watch.wake();
    await staysPending(nextPull());
    expect(detached()).toBe(1);
  });

  test('return() ends it at once while a pull is under way, whose answer is dropped', async () => {
    const { detached, nextPull, watch } = watchSource();
    const next = watch.next();
    const pull = await nextPull();
    await watch.return();
    expect(await next).toEqual(DONE);
    pull.resolve([changeOf(1)]);
    await pull.promise;
    expect(await watch.next()).toEqual(DONE);
    expect(detached()).toBe(1);
  });

  test('return() before anything was read ends and detaches it too', async () => {
    const { detached, watch } = watchSource();
    await watch.return();
    expect(await watch.next()).toEqual(DONE);
    expect(detached()).toBe(1);
  });

  test('return() drops what was pulled and not read', async () => {
    const { nextPull, watch } = watchSource();
    const next = watch.next();
    (await nextPull()).resolve([changeOf(1), changeOf(2)]);
    await next;
    await watch.return();
    expect(await watch.next()).toEqual(DONE);
  });

  test('a pull that fails ends it with that error, once, and detaches it', async () => {
    const { detached, nextPull, watch } = watchSource();
    const failure = new Error('a failed pull');
    const next = watch.next();
    (await nextPull()).reject(failure);
    await expect(next).rejects.toBe(failure);
    expect(await watch.next()).toEqual(DONE);
    expect(detached()).toBe(1);
  });

  test('a pull that fails after return() harms nobody', async () => {
    const { detached, nextPull, watch } = watchSource();
    const next = watch.next();
    const pull = await nextPull();
    await watch.return();
    pull.reject(new Error('a failed pull'));
    await pull.promise.catch(() => undefined);
    expect(await next).toEqual(DONE);
    expect(detached()).toBe(1);
  });

  test('a second next() before the first is answered is refused, and the first is answered all the same', async () => {
    const { nextPull, watch } = watchSource();
    const first = watch.next();
    await expect(watch.next()).rejects.toThrow('before the last one was answered');
    (await nextPull()).resolve([changeOf(1)]);
    expect(await first).toEqual({ done: false, value: changeOf(1) });
  });

  test('leaving a `for await` loop detaches it', async () => {
    const { detached, nextPull, watch } = watchSource();
    const pulled = nextPull().then((pull) => {
      pull.resolve([changeOf(1), changeOf(2)]);
    });
    for await (const { revision } of watch) {
      expect(revision).toBe(1);
      break;
    }
    await pulled;
    expect(detached()).toBe(1);
  });
});
