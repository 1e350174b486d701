import { expect, it } from 'vitest';
import { createPace } from '../../src/archive/pace.ts';

it('callers together take no more bytes than their pace allows, and nobody waits longer than that', async () => {
  const pace = createPace(1_000_000);
  const start = performance.now();
  const ends = await Promise.all(
    Array.from({ length: 5 }, async () => {
      for (let chunk = 0; chunk < 4; chunk += 1) await pace(10_000);
      return performance.now() - start;
    }),
  );
  // 200,000 bytes at 1,000 a millisecond.
  expect(Math.max(...ends)).toBeGreaterThanOrEqual(199);
  // Turns go round: the first to end has waited for one chunk less of each of the others.
  expect(Math.min(...ends)).toBeGreaterThanOrEqual(100);
});
