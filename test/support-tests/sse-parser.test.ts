import { expect, test } from 'vitest';
import { createSseParser } from '../kit/sse.ts';

const STREAM =
  ':\n\nevent: next\ndata: {"a":\ndata: 1}\n\n: keep-alive\n\nevent: complete\ndata\n\ndata:x\n\n';

const EVENTS = [
  { event: 'next', data: '{"a":\n1}' },
  { event: 'complete', data: '' },
  { event: 'message', data: 'x' },
];

test('events are read and comments skipped', () => {
  expect(createSseParser()(STREAM)).toEqual(EVENTS);
});

test('chunks may be cut anywhere', () => {
  expect(Array.from(STREAM).flatMap(createSseParser())).toEqual(EVENTS);
});

test('lines may end in CR LF, cut in between too', () => {
  expect(Array.from(STREAM.replaceAll('\n', '\r\n')).flatMap(createSseParser())).toEqual(EVENTS);
});
