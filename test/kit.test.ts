import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import * as documents from './kit/documents.ts';
import { createResultStream } from './kit/graphql.ts';
import { credit, record, sign } from './kit/kie.ts';
import { startProcess } from './kit/process.ts';
import { startFakeProvider } from './kit/provider.ts';
import {
  createQueue,
  deferred,
  disposeLeftovers,
  onTestEnd,
  recordFailure,
  staysPending,
  takeFailures,
  takeWaits,
} from './kit/waits.ts';

test('leftovers are disposed of once, the last one first, even if one of them throws', async () => {
  const order: string[] = [];
  onTestEnd(() => void order.push('first'));
  onTestEnd(() => Promise.reject(new Error('the port is stuck')));
  onTestEnd(() => void order.push('third'));

  await expect(disposeLeftovers()).rejects.toThrow('the port is stuck');
  await disposeLeftovers();

  expect(order).toEqual(['third', 'first']);
});

test('recorded failures fail the test and are all named, unless it takes them', async () => {
  recordFailure('one');
  recordFailure(new TypeError('two'));
  await expect(disposeLeftovers()).rejects.toThrow(/one[^]*two/);
  recordFailure('expected');
  expect(takeFailures().map(({ message }) => message)).toEqual(['expected']);
  await expect(disposeLeftovers()).resolves.toBeUndefined();
});

let disposedByHook = false;

test('a test leaves something to the hook of the set-up file', () => {
  onTestEnd(() => void (disposedByHook = true));
  expect(disposedByHook).toBe(false);
});

test('the hook has run before the next test', () => {
  expect(disposedByHook).toBe(true);
});

test('a request that the test did not script is answered with 599 and fails the test by name', async () => {
  const provider = await startFakeProvider();
  provider.answer('recordInfo', record('t1'));
  const target = `${provider.url}/api/v1/jobs/recordInfo?taskId=t1`;

  expect((await fetch(target)).status).toBe(200);
  expect((await fetch(target)).status).toBe(599);
  expect((await fetch(`${provider.url}/api/v1/jobs/cancel`)).status).toBe(599);

  expect(takeFailures().map(({ message }) => message)).toEqual([
    'Unexpected request to the fake provider: GET /api/v1/jobs/recordInfo?taskId=t1 (no answer is queued for recordInfo)',
    'Unexpected request to the fake provider: GET /api/v1/jobs/cancel (there is no such route)',
  ]);
});

test('an answer function that throws fails the test', async () => {
  const provider = await startFakeProvider();
  provider.answer('credit', credit(1), () => {
    throw new Error('the test has a bug');
  });
  await fetch(`${provider.url}/api/v1/chat/credit`);
  await expect(fetch(`${provider.url}/api/v1/chat/credit`)).rejects.toThrow();
  expect(takeFailures()[0]?.message).toContain('the test has a bug');
});

test('a wait for a request ends with the provider', async () => {
  const provider = await startFakeProvider();
  const received = provider.received('credit');
  await provider.close();
  await expect(received).rejects.toThrow('The fake provider was closed');
});

test('a result after the end that the server set fails the test', () => {
  const { end, push } = createResultStream<{ readonly n: number }>('the stream', () => undefined);
  end({ kind: 'completed' });
  push({ data: { n: 1 } });
  expect(takeFailures()[0]?.message).toContain('the stream was completed by the server, then came');
});

test('a loop over a stream that lost its connection throws', async () => {
  const { end, stream } = createResultStream('the stream', () => undefined);
  end({ kind: 'closed', reason: 'gone' });
  end({ kind: 'completed' });
  await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow('ended with its connection: gone');
});

test('a queue hands each value to one waiter that accepts it, and rejects once it has failed', async () => {
  const queue = createQueue<number>('a number');
  const even = queue.take((value) => value % 2 === 0);
  expect(takeWaits()).toEqual(['a number']);
  queue.push(1);
  queue.push(2);
  queue.fail(new Error('no more numbers'));
  expect([await even, await queue.take()]).toEqual([2, 1]);
  await expect(queue.take()).rejects.toThrow('no more numbers');
});

test('a promise that settles is no proof of absence', async () => {
  await staysPending(deferred().promise);
  await expect(staysPending(Promise.resolve(1))).rejects.toThrow('Nothing was to happen, but it resolved');
  await expect(staysPending(Promise.reject(new Error('no')))).rejects.toThrow('but it rejected');
});

test('the documents of the kit are valid against the printed schema', () => {
  const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));
  const sources = Object.values(documents).filter((value) => typeof value === 'string');
  for (const source of sources) expect(validate(schema, parse(source))).toEqual([]);
});

test('the kit signs callbacks as openssl does', () => {
  // printf 't1.1769670760' | openssl dgst -sha256 -hmac secret -binary | base64
  expect(sign('secret', 't1', 1769670760)).toEqual({
    'X-Webhook-Timestamp': '1769670760',
    'X-Webhook-Signature': '3lo80LZBW7+UAU+mM/96roz3lRbKta/SMoz84xboaBI=',
  });
});

test('a process that loads the PostgreSQL server keeps its own exit code, so a failed test stays visible', async () => {
  const script = fileURLToPath(new URL('kit/ends-with-three.ts', import.meta.url));
  const { exited } = startProcess(process.execPath, ['--import', 'tsx', script]);
  expect(await exited).toEqual({ code: 3, signal: null });
});
