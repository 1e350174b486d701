import { expect, test } from 'vitest';
import { DEFAULT_TIMINGS } from '../../src/tasks/timings.ts';
import { staysPending } from '../kit/waits.ts';
import { created, record, callbackSuccess, deliverCallback } from '../kit/kie.ts';
import { startWithProvider, submit } from '../webhooks/called-back.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';

const { checkIntervalMax, checkIntervalMin } = DEFAULT_TIMINGS;

test('queries stay within the limit per second, and every task is queried', async () => {
  const clock = createStandingClock();
  const { gateway, provider } = await startWithProvider({
    env: { KIE_QUERIES_PER_S: '5' },
    overrides: { clock, timings: { checkIntervalMax, checkIntervalMin } },
  });
  provider.always('createTask', (request) => created(`kie-${request.order}`));
  provider.always('recordInfo', ({ query: { taskId = '' } }) => record(taskId));
  const tasks = await Promise.all(Array.from({ length: 12 }, () => submit(gateway)));

  const asked: (string | undefined)[] = [];
  const ask = async (query = provider.received('recordInfo')): Promise<void> => {
    asked.push((await query).query['taskId']);
  };

  // By now each of them is due: a fifth later at most, and rounded.
  clock.advance(checkIntervalMin * 1.3);
  for (let query = 0; query < 5; query += 1) await ask();
  const sixth = provider.received('recordInfo');
  await staysPending(sixth);
  // A look that somebody asks for waits like all others.
  const creates = provider.requests('createTask');
  const waiting = creates.find(({ order }) => !asked.includes(`kie-${order}`));
  if (waiting === undefined) throw new Error('every task was asked about');
  await deliverCallback(gateway.callbackUrl(waiting), callbackSuccess(`kie-${waiting.order}`));
  await staysPending(sixth);
  clock.advance(999);
  await staysPending(sixth);

  clock.advance(1);
  await ask(sixth);
  for (let query = 0; query < 4; query += 1) await ask();
  const eleventh = provider.received('recordInfo');
  await staysPending(eleventh);

  clock.advance(1000);
  await ask(eleventh);
  await ask();
  await staysPending(provider.received('recordInfo'));
  expect(new Set(asked)).toEqual(new Set(tasks.map(({ providerTaskId }) => providerTaskId)));
  expect(asked).toHaveLength(12);
});
