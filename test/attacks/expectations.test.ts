import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { uploaded } from '../kit/kie.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { imageBytes } from '../kit/images.ts';
import { API_KEYS, bearer } from '../limits/asking.ts';
import { headOf, sendRaw } from './raw-http.ts';

const EXPECT = 'Expect: 100-continue';
const HOST = 'Host: localhost';
const RIGHT = `Authorization: ${bearer('ann').authorization}`;

async function start() {
  const provider = await startFakeProvider();
  provider.always('upload', uploaded('https://files.example/a.png'));
  return startGateway({ provider, env: { API_KEYS } });
}

/** Sends the head of a request, its body after a 100, and returns all that the server wrote. */
async function sendPolitely(port: number, head: string, body: Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  onTestEnd(() => {
    socket.destroy();
  });
  let received = '';
  const closed = new Promise<void>((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    if (received === '') socket.write(body);
    received += chunk.toString();
  });
  socket.write(head);
  await named('the end of the connection', closed);
  return received;
}

function statusesIn(text: string): readonly number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
}

describe('a request that waits for 100 (Continue) before it sends its body', () => {
  test.each([
    [401, 'an operation without a key', 'POST /graphql', ['Content-Type: application/json']],
    [415, 'an operation that is no JSON', 'POST /graphql', [RIGHT, 'Content-Type: text/plain']],
    [401, 'an upload without a key', 'POST /uploads', ['Content-Type: image/png']],
    [415, 'an upload of text', 'POST /uploads', [RIGHT, 'Content-Type: text/plain']],
    [413, 'an upload that is too large', 'POST /uploads', [RIGHT, 'Content-Type: image/png']],
    [401, 'a callback with a wrong token', 'POST /webhooks/kie/a/b', ['Content-Type: application/json']],
    [404, 'a post to nowhere', 'POST /nowhere', []],
    [415, 'a compressed operation', 'POST /graphql', [RIGHT, 'Content-Encoding: gzip']],
  ])('gets %i at once and no 100, and its connection ends: %s', async (status, _, target, lines) => {
    const { app } = await start();
    const answer = await sendRaw(
      app.port,
      headOf(target, HOST, EXPECT, 'Content-Length: 20000000', ...lines),
    );
    expect(answer.status).toBe(status);
    expect(statusesIn(answer.head + answer.body)).toEqual([status]);
    expect(answer.head).toMatch(/^connection: close$/im);
  });

  test('gets 100 when the operation is let in, then its answer, and may go on', async () => {
    const { app } = await start();
    const body = Buffer.from('{"query":"{ __typename }"}');
    const lines = [HOST, RIGHT, EXPECT, 'Content-Type: application/json', `Content-Length: ${body.length}`];
    const next = Buffer.from(headOf('GET /health', HOST, 'Connection: close'));
    const received = await sendPolitely(
      app.port,
      headOf('POST /graphql', ...lines),
      Buffer.concat([body, next]),
    );
    expect(statusesIn(received)).toEqual([100, 200, 200]);
    expect(received).toContain('"__typename":"Query"');
  });

  test('gets 100 when the upload is let in, then its answer', async () => {
    const { app } = await start();
    const body = await imageBytes();
    const lines = [HOST, RIGHT, EXPECT, 'Content-Type: image/png', `Content-Length: ${body.length}`];
    const received = await sendPolitely(
      app.port,
      headOf('POST /uploads', ...lines, 'Connection: close'),
      body,
    );
    expect(statusesIn(received)).toEqual([100, 201]);
  });
});

test('an expectation that is not known is ignored', async () => {
  const { app } = await start();
  const answer = await sendRaw(
    app.port,
    headOf('GET /health', HOST, 'Expect: miracles', 'Connection: close'),
  );
  expect(answer.status).toBe(200);
});
