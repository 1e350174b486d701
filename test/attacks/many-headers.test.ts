import { expect, test } from 'vitest';
import { startGateway } from '../kit/gateway.ts';
import { headOf, sendRaw } from './raw-http.ts';

const UPGRADE = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];

function many(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `a${index}:`);
}

test.each(['/metrics', '/graphql', '/webhooks/kie/a/b', '/nowhere'])(
  'a request for %s with so many headers that some could be left out is refused',
  async (path) => {
    const { url } = await startGateway();
    const last = ['X-Forwarded-For: 192.0.2.1', 'Host: example.com'];
    const request = headOf(`GET ${path}`, 'Host: localhost', ...many(1000), ...last);
    expect((await sendRaw(Number(new URL(url).port), request)).status).toBe(431);
  },
);

test('a WebSocket handshake with that many headers is refused', async () => {
  const { url } = await startGateway();
  const request = headOf('GET /graphql', 'Host: localhost', ...UPGRADE, ...many(1000), 'Host: example.com');
  expect((await sendRaw(Number(new URL(url).port), request)).status).toBe(400);
});

test('a request with a hundred headers is answered', async () => {
  const { url } = await startGateway();
  const request = headOf('GET /health', 'Host: localhost', ...many(100), 'Connection: close');
  expect((await sendRaw(Number(new URL(url).port), request)).status).toBe(200);
});
