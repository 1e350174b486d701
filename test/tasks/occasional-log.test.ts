import { expect, test } from 'vitest';
import { createOccasionalLog } from '../../src/tasks/log.ts';
import { createQueue } from '../kit/waits.ts';

test('the occasional log writes the first warning of a kind at once, and counts the rest in one line', async () => {
  const lines = createQueue<object>('a line of the log');
  const log = {
    warn: (fields: object, message: string) => {
      lines.push({ ...fields, message });
    },
  };
  const occasional = createOccasionalLog(log, 20);
  for (let n = 0; n < 1000; n += 1) occasional.warn('a', { n }, 'refused');
  occasional.warn('b', { n: 0 }, 'refused');
  const next = (): Promise<object> => lines.take(() => true);
  expect(await next()).toEqual({ n: 0, message: 'refused' });
  expect(await next()).toEqual({ n: 0, message: 'refused' });
  expect(await next()).toEqual({ n: 999, count: 999, message: 'refused' });
});
