import { expect, it } from 'vitest';
import { createPlaces } from '../../src/limits/places.ts';
import { deferred } from '../kit/waits.ts';

it('owners who wait for a place take turns, and work that fails gives its place back', async () => {
  const inPlace = createPlaces(2);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const run = (name: string) =>
    inPlace(name.slice(0, 3), async () => {
      begun.push(name);
      const end = deferred();
      ends.push(end.resolve);
      await end.promise;
      if (name === 'ada2') throw new Error(name);
      return name;
    }).catch((error: unknown) => String(error));
  const all = Promise.all(['ada1', 'ada2', 'ada3', 'ada4', 'ada5', 'ben1', 'ben2', 'cid1'].map(run));
  await expect.poll(() => begun).toEqual(['ada1', 'ada2']);
  for (let count = 3; count <= 8; count += 1) {
    ends.shift()?.();
    await expect.poll(() => begun.length).toBe(count);
  }
  expect(begun.slice(2)).toEqual(['ada3', 'ben1', 'cid1', 'ada4', 'ben2', 'ada5']);
  ends.forEach((end) => {
    end();
  });
  expect(await all).toEqual(['ada1', 'Error: ada2', 'ada3', 'ada4', 'ada5', 'ben1', 'ben2', 'cid1']);
});
