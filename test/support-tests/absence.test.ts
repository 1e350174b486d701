import { expect, test } from 'vitest';
import { staysPending, deferred } from '../kit/waits.ts';

test('what does not happen is proved', async () => {
  await staysPending(deferred().promise);
});

test('what happens, or fails, is an error', async () => {
  await expect(staysPending(Promise.resolve(1))).rejects.toThrow('Nothing was to happen, but it resolved');
  await expect(staysPending(Promise.reject(new Error('no')))).rejects.toThrow('but it rejected');
});
