import { once } from 'node:events';
import { expect, test } from 'vitest';
import { headOf, nextFrame } from '../../src/websocket/frame.ts';
import { startPair } from './pair.ts';

/** A result and what stands around it, of so many bytes in all. */
function resultFor(head: Buffer, payloadBytes: number): Buffer {
  return Buffer.from(JSON.stringify('x'.repeat(payloadBytes - head.length - 3)));
}

// Where a WebSocket frame tells its length in another way.
test.each([100, 125, 126, 127, 65_535, 65_536, 300_000])(
  'a message of %i bytes arrives as one text message',
  async (bytes) => {
    const { client, outlet } = await startPair();
    const head = headOf('1');
    outlet.sendFrame(nextFrame(head, resultFor(head, bytes), false));
    const [data, isBinary] = (await once(client, 'message')) as [Buffer, boolean];
    expect(isBinary).toBe(false);
    expect(data).toHaveLength(bytes);
    expect(JSON.parse(data.toString())).toMatchObject({ id: '1', type: 'next' });
  },
);

test.each([false, true])('a message is JSON, whatever its id is (kept for a while: %s)', async (mayWait) => {
  const { client, outlet } = await startPair();
  const id = '"}\\\n\u2028 雪';
  const result = Buffer.from(JSON.stringify({ data: { word: 'Schnee 雪' } }));
  outlet.sendFrame(nextFrame(headOf(id), result, mayWait));
  const [data] = (await once(client, 'message')) as [Buffer];
  expect(JSON.parse(data.toString())).toEqual({
    id,
    type: 'next',
    payload: { data: { word: 'Schnee 雪' } },
  });
});

test('a message that may wait for its client keeps no more memory than its own', () => {
  const frame = nextFrame(headOf('1'), Buffer.from('{}'), true);
  expect(frame.buffer.byteLength).toBe(frame.length);
});
