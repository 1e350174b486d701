import { once } from 'node:events';
import { expect, test } from 'vitest';
import { headOf, nextFrame } from '../../src/websocket/frame.ts';
import { eventually } from './eventually.ts';
import { startPair } from './pair.ts';

test('an outlet whose client has not taken everything says so, until it has', async () => {
  const { client, outlet, served } = await startPair();
  const isBehind = (): boolean => {
    outlet.hold();
    const { isBehind: is } = outlet;
    outlet.release();
    return is;
  };
  expect(isBehind()).toBe(false);
  client.pause();
  // More than the buffers of two sockets take.
  for (let count = 0; count < 256; count += 1) outlet.send('x'.repeat(64 * 1024));
  expect(isBehind()).toBe(true);
  client.resume();
  await eventually('all is taken', () => served.bufferedAmount === 0);
  expect(isBehind()).toBe(false);
});

test('messages and frames that are ready arrive in the order in which they were sent', async () => {
  const { client, outlet } = await startPair();
  const messages: string[] = [];
  client.on('message', (data: Buffer) => messages.push(data.toString()));
  const frame = (word: string): Buffer => nextFrame(headOf('1'), Buffer.from(`"${word}"`), false);
  outlet.send('one');
  outlet.sendFrame(frame('two'));
  outlet.hold();
  outlet.send('three');
  outlet.sendFrame(frame('four'));
  outlet.send('five');
  outlet.release();
  await eventually('all have come', () => messages.length === 5);
  const next = (word: string): string => JSON.stringify({ id: '1', type: 'next', payload: word });
  expect(messages).toEqual(['one', next('two'), 'three', next('four'), 'five']);
  expect(outlet.taken).toBe(5);
});

test('a single frame that is held back leaves at the release, and before whatever is sent after it', async () => {
  const { client, outlet, served } = await startPair();
  const messages: string[] = [];
  client.on('message', (data: Buffer) => messages.push(data.toString()));
  const frame = (word: string): Buffer => nextFrame(headOf('1'), Buffer.from(`"${word}"`), false);
  outlet.hold();
  outlet.sendFrame(frame('one'));
  expect(served.bufferedAmount).toBe(0);
  outlet.release();
  outlet.hold();
  outlet.sendFrame(frame('two'));
  outlet.send('three');
  outlet.release();
  outlet.hold();
  outlet.sendFrame(frame('four'));
  outlet.sendFrame(frame('five'));
  outlet.sendFrame(frame('six'));
  outlet.release();
  await eventually('all have come', () => messages.length === 6);
  const next = (word: string): string => JSON.stringify({ id: '1', type: 'next', payload: word });
  expect(messages).toEqual([next('one'), next('two'), 'three', next('four'), next('five'), next('six')]);
  expect(outlet.taken).toBe(6);
});

test('a frame that is held back when the end is announced is not sent after it', async () => {
  const { client, outlet, served } = await startPair();
  const messages: unknown[] = [];
  client.on('message', (data) => messages.push(data));
  const closed = once(client, 'close');
  outlet.hold();
  outlet.sendFrame(nextFrame(headOf('1'), Buffer.from('1'), false));
  served.close(1001, 'bye');
  outlet.release();
  expect((await closed)[0]).toBe(1001);
  expect(messages).toEqual([]);
});

test('after the end of a connection was announced no frame is sent', async () => {
  const { client, outlet, served } = await startPair();
  const messages: unknown[] = [];
  client.on('message', (data) => messages.push(data));
  const closed = once(client, 'close');
  served.close(1001, 'bye');
  outlet.sendFrame(nextFrame(headOf('1'), Buffer.from('1'), false));
  expect((await closed)[0]).toBe(1001);
  expect(messages).toEqual([]);
});
