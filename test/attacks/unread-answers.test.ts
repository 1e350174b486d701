import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { addTask } from '../websocket/stored-tasks.ts';
import { onTestEnd } from '../kit/waits.ts';
import { startAttacked } from './bystander.ts';
import { headOf } from './raw-http.ts';

/** Asks ten times for a hundred prompts. */
const LONG = JSON.stringify({
  query: `{ ${Array.from({ length: 10 }, (_, index) => `a${index}: tasks(first: 100) { edges { node { prompt } } }`).join(' ')} }`,
});
const TYPE = 'Content-Type: application/json';

test('clients that do not read a long answer, or do not send their body, do not hold up the end of the process', async () => {
  const { gateway, ports, withstands } = await startAttacked({ env: { MAX_LIST_ITEMS: '1000' } });
  for (let index = 0; index < 100; index += 1) await addTask(ports.store, { prompt: '雪'.repeat(1500) });
  const whole = headOf('POST /graphql', 'Host: 127.0.0.1', TYPE, `Content-Length: ${LONG.length}`) + LONG;
  const half = headOf('POST /graphql', 'Host: 127.0.0.1', TYPE, 'Content-Length: 9');
  for (const request of [whole, half]) {
    const socket = connect(gateway.app.port, '127.0.0.1').pause();
    socket.on('error', () => undefined);
    onTestEnd(() => {
      socket.destroy();
    });
    await withstands(() => new Promise((resolve) => socket.write(request, resolve)));
  }
  // The answer is on its way: another one that asked later has its own already.
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(gateway.graphqlUrl, { method: 'POST', headers, body: LONG });
  expect((await answer.text()).length).toBeGreaterThan(1_000_000);
  await gateway.close();
});
