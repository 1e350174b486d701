import { expect, test } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { callbackSuccess, deliverCallback, sign, refused } from '../kit/kie.ts';
import { stopTheClock } from '../kit/clock.ts';
import { readTask, startWithTask } from './called-back.ts';

const TOLERATED = 300;
const BODY = callbackSuccess('kie-1');

/** Sends the same callback so many times; the statuses, each once, and when the last one is to come back. */
async function deliver(count: number, url: string, headers: Readonly<Record<string, string>>) {
  const statuses = new Set<number>();
  let retryAfter: string | null = null;
  for (let sent = 0; sent < count; sent += 1) {
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(BODY) });
    await answer.arrayBuffer();
    statuses.add(answer.status);
    retryAfter = answer.headers.get('retry-after');
  }
  return { statuses: [...statuses], retryAfter };
}

test('wrong callback tokens of one address get 429 after some hundred, and the right one is taken all the same', async () => {
  stopTheClock();
  const lines: string[] = [];
  const log = createLog({ level: 'warn', pretty: false }, { write: (line) => void lines.push(line) });
  const { callback, gateway, task } = await startWithTask({ log });
  const guess = callback.replace(/[^/]+$/, 'guess');
  expect(await deliver(TOLERATED, guess, {})).toEqual({ statuses: [401], retryAfter: null });
  expect(await deliver(2, guess, {})).toEqual({ statuses: [429], retryAfter: '60' });
  expect((await deliverCallback(guess, BODY)).body).toMatchObject({
    status: 429,
    hint: expect.stringContaining('a right callback is taken at once') as string,
  });

  const right = await deliverCallback(callback, BODY, sign(HMAC_KEY, 'kie-1'));
  expect(right.status).toBe(200);
  expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS' });
  // Once at first, the others counted later.
  const warnings = lines.filter((line) => line.includes('too many wrong keys, tokens or callbacks'));
  expect(warnings.map((line) => JSON.parse(line) as object)).toMatchObject([{ address: '127.0.0.1' }]);
});

test('wrong signatures count with wrong tokens, and a right one is taken all the same', async () => {
  stopTheClock();
  const { callback, provider } = await startWithTask();
  provider.always('recordInfo', refused(422, 'recordInfo is null'));
  await deliver(TOLERATED, callback.replace(/[^/]+$/, 'guess'), {});
  const wrong = await deliver(1, callback, sign('another key', 'kie-1'));
  expect(wrong).toEqual({ statuses: [429], retryAfter: '60' });
  expect((await deliverCallback(callback, BODY, sign(HMAC_KEY, 'kie-1'))).status).toBe(200);
});
