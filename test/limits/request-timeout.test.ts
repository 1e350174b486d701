import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it, test } from 'vitest';
import { addTask } from '../websocket/stored-tasks.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { TASKS_UPDATED } from '../kit/documents.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { openSse } from '../kit/sse.ts';

const HEAD = 'POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';

/** Sends the beginning of a request, and returns all that comes back until the connection ends. */
function answerTo(url: string, beginning: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestEnd(() => void socket.destroy());
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.write(beginning);
  return named(
    'the end of a connection',
    new Promise((resolve, reject) => {
      socket.on('error', reject).on('close', () => {
        resolve(text);
      });
    }),
  );
}

it.each([
  ['its headers', HEAD],
  ['its body', `${HEAD}Content-Length: 50\r\n\r\n{"query"`],
])(
  'REQUEST_TIMEOUT_MS ends a request that stops in %s with 408 and a hint, and nothing that has arrived whole',
  async (_, beginning) => {
    const { gateway, store } = await startHeldGateway({ env: { REQUEST_TIMEOUT_MS: '500' } });
    const stream = await openSse(gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const watch = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });

    const answer = await answerTo(gateway.url, beginning);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(head).toContain('Content-Type: application/problem+json');
    expect(JSON.parse(body)).toMatchObject({ status: 408, hint: 'Send it whole within 0.5 s.' });

    // Both are older than what was cut.
    const { id } = await addTask(store);
    expect((await stream.data()).tasksUpdated.id).toBe(id);
    expect((await watch.data()).tasksUpdated.id).toBe(id);
  },
);

test('a request whose rest arrives while the process stands still is answered, however long that takes', async () => {
  const { gateway } = await startHeldGateway({ env: { REQUEST_TIMEOUT_MS: '500' } });
  const body = JSON.stringify({ query: '{ __typename }' });
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1').setEncoding('utf8');
  onTestEnd(() => void socket.destroy());
  socket.write(`${HEAD}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`);
  expect(await nextOf(socket)).toContain('HTTP/1.1 100 Continue');
  socket.write(body);
  // The gateway is in this process, so both stand still.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
  expect(await nextOf(socket)).toMatch(/^HTTP\/1\.1 200 /);
});

async function nextOf(socket: Socket): Promise<string> {
  const [text] = (await named('an answer', once(socket, 'data'))) as [string];
  return text;
}
