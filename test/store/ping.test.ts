import { expect, it } from 'vitest';
import { createWriteProof } from '../../src/store/ping.ts';
import { deferred } from '../kit/waits.ts';

it('concurrent pings share one write', async () => {
  const proof = createWriteProof(null);
  const commit = deferred();
  let writes = 0;
  const write = async (): Promise<void> => {
    writes += 1;
    await commit.promise;
  };
  const asked = Array.from({ length: 50 }, () => proof.prove(write));
  commit.resolve();
  await Promise.all(asked);
  expect(writes).toBe(1);
});

it('a commit proves that the store can write, until a write fails', async () => {
  const proof = createWriteProof(null);
  const fail = (): Promise<void> => Promise.reject(new Error('nothing is written'));
  await expect(proof.prove(fail)).rejects.toThrow('nothing is written');
  proof.committed(1, 1);
  await proof.prove(fail);
  proof.failed();
  await expect(proof.prove(fail)).rejects.toThrow('nothing is written');
});
