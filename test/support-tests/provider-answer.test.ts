import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { deferred } from '../kit/waits.ts';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { created, credit } from '../kit/kie.ts';

const CREDIT = '/api/v1/chat/credit';

interface Exchange {
  readonly text: string;
  readonly error?: string | undefined;
}

/** What a bare socket reads until the other side closes. */
function exchange(port: number): Promise<Exchange> {
  return new Promise((resolve) => {
    let text = '';
    let error: string | undefined;
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${CREDIT} HTTP/1.1\r\nHost: provider\r\n\r\n`);
    socket
      .on('data', (chunk) => (text += chunk.toString()))
      .on('error', (reason: NodeJS.ErrnoException) => (error = reason.code))
      .on('close', () => {
        resolve({ text, error });
      });
  });
}

async function exchangeOf(answer: Answer): Promise<Exchange> {
  const provider = await startFakeProvider();
  provider.answer('credit', answer);
  return exchange(provider.port);
}

test('status, headers and a raw body go out as they are', async () => {
  const provider = await startFakeProvider();
  const headers = { 'content-type': 'text/html', 'retry-after': '7' };
  provider.answer('credit', { status: 403, headers, body: 'error code: 1010' });

  const answer = await fetch(provider.url + CREDIT);

  expect(answer.status).toBe(403);
  expect(answer.headers.get('content-type')).toBe('text/html');
  expect(answer.headers.get('retry-after')).toBe('7');
  expect(await answer.text()).toBe('error code: 1010');
});

test('a body of bytes goes out as it is', async () => {
  const provider = await startFakeProvider();
  provider.answer('credit', { body: Buffer.from([0xff, 0x00]) });

  const answer = await fetch(provider.url + CREDIT);

  expect(new Uint8Array(await answer.arrayBuffer())).toEqual(new Uint8Array([0xff, 0x00]));
});

test('an answer behind a gate waits until the test opens it', async () => {
  const provider = await startFakeProvider();
  const gate = deferred('the answer may go');
  provider.answer('credit', { ...credit(1), gate: gate.promise });
  let answered = false;

  const answer = fetch(provider.url + CREDIT).finally(() => (answered = true));
  await provider.received('credit');
  expect(answered).toBe(false);
  gate.resolve();

  expect((await answer).status).toBe(200);
});

test('a delayed answer comes after its delay', async () => {
  const provider = await startFakeProvider();
  provider.answer('credit', { ...credit(1), delayMs: 30 });
  const start = performance.now();

  await fetch(provider.url + CREDIT);

  expect(performance.now() - start).toBeGreaterThan(28);
});

test('a cut answer ends after so many bytes', async () => {
  const { text, error } = await exchangeOf({ ...created('t1'), cutAfterBytes: 12 });
  expect({ text, error }).toEqual({ text: 'HTTP/1.1 200', error: undefined });
});

test('an answer cut after no byte closes without a word', async () => {
  expect(await exchangeOf({ ...created('t1'), cutAfterBytes: 0 })).toEqual({ text: '', error: undefined });
});

test('an answer cut within its body announces the whole of it', async () => {
  const { text } = await exchangeOf({ ...credit(1), cutBodyAfterBytes: 5 });
  expect(text).toContain('content-type: application/json\r\ncontent-length: 37\r\n');
  expect(text.split('\r\n\r\n')[1]).toBe('{"cod');
});

test('a reset comes as a reset', async () => {
  expect(await exchangeOf({ reset: true })).toEqual({ text: '', error: 'ECONNRESET' });
});

test('an answer that closes says so and does', async () => {
  const { text, error } = await exchangeOf({ ...credit(1), closeAfter: true });
  expect(text.toLowerCase()).toContain('connection: close\r\n');
  expect(text).toContain('"data":1}');
  expect(error).toBeUndefined();
});

test('a request that is never answered stays open until one side closes', async () => {
  const provider = await startFakeProvider();
  provider.answer('credit', { hang: true });

  const pending = exchange(provider.port);
  const request = await provider.received('credit');
  await provider.close();

  expect((await pending).text).toBe('');
  await request.closed;
});

test('an answer for a client that has gone disturbs nobody', async () => {
  const provider = await startFakeProvider();
  const gate = deferred('the client has gone');
  const client = new AbortController();
  provider.answer('credit', { ...credit(1), gate: gate.promise });

  const answer = fetch(provider.url + CREDIT, { signal: client.signal });
  const request = await provider.received('credit');
  client.abort();
  await expect(answer).rejects.toThrow('aborted');
  await request.closed;
  gate.resolve();

  provider.answer('credit', credit(2));
  expect((await fetch(provider.url + CREDIT)).status).toBe(200);
});
