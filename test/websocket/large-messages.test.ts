import { expect, test } from 'vitest';
import { openRaw } from '../attacks/raw-http.ts';
import { startGateway } from '../kit/gateway.ts';

const SOCKETS = 20;
const FILLER = 'x'.repeat(200_000);

async function openKnown(url: string, key = '') {
  const opened = await openRaw(url);
  const payload = key === '' ? {} : { authorization: `Bearer ${key}` };
  opened.socket.send(JSON.stringify({ type: 'connection_init', payload }));
  await opened.messages.next();
  return opened;
}

test('large and small messages of a socket are handled in their order', async () => {
  const { graphqlUrl } = await startGateway();
  const { messages, socket } = await openKnown(graphqlUrl);
  const sent: string[] = [];
  for (let index = 0; index < 20; index += 1) {
    const filler = index % 3 === 0 ? FILLER.slice(0, 20_000) : '';
    const message = JSON.stringify({ type: 'ping', payload: { index, filler } });
    sent.push(message.replace('ping', 'pong'));
    socket.send(message);
  }
  for (const expected of sent) expect(JSON.parse(await messages.next())).toEqual(JSON.parse(expected));
});

test('a socket with large messages that breaks the protocol is closed with the code for that', async () => {
  const { graphqlUrl } = await startGateway();
  const { closed, socket } = await openKnown(graphqlUrl);
  socket.send(JSON.stringify({ type: 'complete', id: 'x', filler: FILLER }));
  socket.send(FILLER);
  expect(await closed).toBe(4400);
});

test('a small operation of one owner does not wait for all large messages of another', async () => {
  const { graphqlUrl } = await startGateway({ env: { API_KEYS: 'ada:key-of-ada-0123,ben:key-of-ben-0123' } });
  const opened = await Promise.all(
    Array.from({ length: SOCKETS }, () => openKnown(graphqlUrl, 'key-of-ada-0123')),
  );
  const ben = await openKnown(graphqlUrl, 'key-of-ben-0123');
  const large = JSON.stringify({ type: 'complete', id: 'x', filler: Array(60_000).fill({}) });
  const order: string[] = [];
  const answers = opened.map(async ({ messages, socket }) => {
    socket.send(large);
    socket.send('{"type":"ping"}');
    await messages.next();
    order.push('ada');
  });
  ben.socket.send('{"type":"ping"}');
  await ben.messages.next();
  order.push('ben');
  await Promise.all(answers);
  expect(order.indexOf('ben')).toBeLessThan(SOCKETS / 2);
});
