import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { onTestEnd } from '../support/leftovers.ts';
import { startAttacked } from './bystander.ts';
import { headOf } from './raw-http.ts';

test('clients that do not read a long answer, or do not send their body, do not hold up the end of the process', async () => {
  const { gateway, withstands } = await startAttacked();
  const half = headOf(
    'POST /graphql',
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    'Content-Length: 9',
  );
  for (const request of [headOf('GET /graphql', 'Host: 127.0.0.1', 'Accept: text/html'), half]) {
    const socket = connect(gateway.app.port, '127.0.0.1').pause();
    socket.on('error', () => undefined);
    onTestEnd(() => {
      socket.destroy();
    });
    await withstands(() => new Promise((resolve) => socket.write(request, resolve)));
  }
  // The page is on its way: another one that asked later has its answer already.
  const page = await fetch(gateway.graphqlUrl, { headers: { accept: 'text/html' } });
  expect((await page.text()).length).toBeGreaterThan(1_000_000);
  await gateway.close();
});
