import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { createReplicaChanges } from '../../src/store/replica-changes.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { deferred, onTestEnd, type Deferred } from '../kit/waits.ts';
import { hiddenTask } from './records.ts';

const PAGE = 500;

/** A task that was changed with this revision. */
function change(revision: number): VisibleRecord {
  return { ...hiddenTask(), revision };
}

/** A commit of this process that took the revisions after `before` up to `last`; so many at both ends are unused. */
function commitOf(before: number, last: number, unused = 0) {
  const first = before + unused + 1;
  const revisions = Array.from({ length: last - unused - first + 1 }, (_, index) => first + index);
  return { before, last, changes: revisions.map(change) };
}

/** A read that the test answers. */
interface Read extends Deferred<readonly VisibleRecord[]> {
  readonly after: number;
  readonly limit: number;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A reader on a scripted store. `told` lists the published revisions in order, `reads` all reads. */
function start({ newest = 10, listeners = 1 } = {}) {
  const world = { newest, listeners, isAway: false };
  const [told, restarts, errors, reads]: [number[], number[], unknown[], Read[]] = [[], [], [], []];
  const reader = createReplicaChanges({
    audience: {
      publish: (changes) => void told.push(...changes.map(({ revision }) => revision)),
      size: () => world.listeners,
      restart: () => void restarts.push(told.at(-1) ?? 0),
    },
    newestRevision: () => (world.isAway ? Promise.reject(new Error('away')) : Promise.resolve(world.newest)),
    changesAfter(after, limit) {
      const read = { ...deferred<readonly VisibleRecord[]>(), after, limit };
      reads.push(read);
      return read.promise;
    },
    onError: (error) => errors.push(error),
  });
  onTestEnd(() => void reader.stop());

  /** Answers the read in flight, of which there is one at most, and lets the reader continue. */
  async function answer(...revisions: number[]): Promise<void> {
    world.newest = Math.max(world.newest, ...revisions);
    reads.at(-1)?.resolve(revisions.map(change));
    await turn();
  }
  return { world, answer, errors, reader, reads, restarts, told };
}

/** The same, after its start. */
async function follow(options: Parameters<typeof start>[0] = {}) {
  const started = start(options);
  await started.reader.follow();
  await started.answer();
  return started;
}

/** Timers run only when the test says so. */
function fakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  onTestEnd(() => void vi.useRealTimers());
}

/** What may happen: commits of this process and of others, and that each is heard of, late, lost or never. */
const EVENTS = fc.array(
  fc.record({
    kind: fc.constantFrom('own', 'other', 'heard', 'wake', 'answer', 'fail'),
    changes: fc.integer({ min: 1, max: 3 }),
    unused: fc.nat(1),
  }),
  { maxLength: 40 },
);

it('every change is published once and in order, whenever commits are heard of and reads answered', async () => {
  fakeTimers();
  await fc.assert(
    fc.asyncProperty(EVENTS, async (events) => {
      const stored: VisibleRecord[] = [];
      const unheard: ReturnType<typeof commitOf>[] = [];
      const { reader, reads, told, world } = start({ newest: 0 });
      const settle = async (): Promise<void> => {
        const { after = 0, resolve } = reads.at(-1) ?? {};
        resolve?.(stored.filter(({ revision }) => revision > after));
        await turn();
      };
      await reader.follow();
      for (const { changes, kind, unused } of events) {
        if (kind === 'heard') unheard.splice(0, 1).forEach(reader.committed);
        else if (kind === 'wake') reader.wake();
        else if (kind === 'answer') await settle();
        else if (kind === 'fail') reads.at(-1)?.reject(new Error('away'));
        else {
          const commit = commitOf(world.newest, world.newest + changes + 2 * unused, unused);
          world.newest = commit.last;
          stored.push(...commit.changes);
          if (kind === 'own') unheard.push(commit);
        }
        await turn();
      }
      unheard.forEach(reader.committed);
      reader.wake();
      for (let settled = 0; settled < reads.length;) {
        settled = reads.length;
        await settle();
      }
      expect(told).toEqual(stored.map(({ revision }) => revision));
    }),
    { numRuns: 200 },
  );
});

describe('a reader of changes', () => {
  it('the reader starts once, at the newest revision, for all who follow', async () => {
    const { answer, reader, reads, told } = start({ newest: 10 });
    await Promise.all([reader.follow(), reader.follow()]);
    await answer(11, 12);
    await reader.follow();
    expect([told, reads.map(({ after }) => after)]).toEqual([[11, 12], [10]]);
  });

  it('the reader reads on while pages are full, and once more after wake-ups during a read', async () => {
    const { answer, reader, reads, told } = await follow({ newest: 0 });
    reader.wake();
    const full = Array.from({ length: PAGE }, (_, index) => index + 1);
    await answer(...full);
    for (let time = 0; time < 5; time += 1) reader.wake();
    await answer(501);
    await answer();
    expect(told).toEqual([...full, 501]);
    expect(reads.map(({ after, limit }) => [after, limit])).toEqual(
      [0, 0, PAGE, PAGE + 1].map((after) => [after, PAGE]),
    );
  });

  it('commits of this process that come next are published without a read', async () => {
    const { reader, reads, told } = await follow();
    for (const commit of [commitOf(10, 12), commitOf(12, 16, 1), commitOf(16, 17)]) reader.committed(commit);
    expect([told, reads.length]).toEqual([[11, 12, 14, 15, 17], 1]);
  });

  it('the reader polls every five seconds, and reads again half a second after a failed read', async () => {
    fakeTimers();
    const { answer, errors, reads, told } = await follow();
    vi.advanceTimersByTime(5000);
    const away = new Error('the database is away');
    reads.at(-1)?.reject(away);
    await turn();
    expect([errors, reads.length]).toEqual([[away], 2]);
    vi.advanceTimersByTime(500);
    await answer(11);
    expect([told, reads.length]).toEqual([[11], 3]);
  });

  it('a failed start rejects, and the next one starts again', async () => {
    const { answer, reader, told, world } = start();
    world.isAway = true;
    await expect(reader.follow()).rejects.toThrow('away');
    world.isAway = false;
    await reader.follow();
    await answer(11);
    expect(told).toEqual([11]);
  });

  it('stopping the reader waits for the read in flight and starts no other', async () => {
    const { answer, reader, reads } = await follow();
    reader.wake();
    const stopped = reader.stop();
    reader.wake();
    await answer(11);
    await stopped;
    expect(reads).toHaveLength(2);
  });

  it('a newest revision below the cursor restarts the listeners once', async () => {
    const { answer, reader, restarts, told, world } = await follow();
    reader.committed(commitOf(10, 11));
    world.newest = 9;
    reader.wake();
    await answer();
    await answer(10);
    expect([restarts, told]).toEqual([[11], [11, 10]]);
  });

  it('after a reported rollback the reader starts at the newest revision', async () => {
    const { answer, reader, reads, restarts, told, world } = await follow();
    world.newest = 20;
    reader.rolledBack();
    await turn();
    await answer(21);
    expect([restarts, told, reads.at(-1)?.after]).toEqual([[0], [21], 20]);
  });

  it('without listeners the reader does nothing, and starts at the newest revision for the next', async () => {
    const { answer, reader, reads, restarts, told, world } = await follow();
    reader.wake();
    reader.wake();
    world.listeners = 0;
    await answer();
    reader.wake();
    reader.committed(commitOf(10, 12));
    reader.rolledBack();
    expect([reads.length, told, restarts]).toEqual([2, [], []]);
    world.newest = 12;
    world.listeners = 1;
    await reader.follow();
    expect(reads.at(-1)?.after).toBe(12);
  });
});
