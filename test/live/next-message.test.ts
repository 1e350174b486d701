import { expect, test } from 'vitest';
import { headOf, nextMessage } from '../../src/live/next-message.ts';

const RESULT = new TextEncoder().encode(JSON.stringify({ data: { word: 'Schnee 雪' } }));

test.each([false, true])('a message is JSON, whatever its id is (kept for a while: %s)', (mayWait) => {
  const id = '"}\\\n\u2028 雪';
  const message = nextMessage(headOf(id), RESULT, mayWait);
  expect(JSON.parse(message.toString())).toEqual({
    id,
    type: 'next',
    payload: { data: { word: 'Schnee 雪' } },
  });
});

test('a message that may wait for its client keeps no more memory than its own', () => {
  const message = nextMessage(headOf('1'), RESULT, true);
  expect(message.buffer.byteLength).toBe(message.length);
});
