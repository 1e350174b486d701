import { expect, test } from 'vitest';
import { takeFailures } from '../kit/waits.ts';
import { createResultStream } from '../kit/graphql.ts';

function createStream() {
  return createResultStream<{ readonly n: number }>('the stream', () => undefined);
}

test('a result after the end that the server set fails the test', () => {
  const { push, end } = createStream();
  end({ kind: 'completed' });
  push({ data: { n: 1 } });
  expect(takeFailures()[0]?.message).toContain(
    'the stream was completed by the server, then came {"data":{"n":1}}',
  );
});

test('a result after the test stopped the stream is dropped', async () => {
  const { stream, push, end } = createStream();
  end({ kind: 'stopped' });
  push({ data: { n: 1 } });
  await expect(stream.next()).rejects.toThrow('was stopped by the test');
});

test('only the first end counts', async () => {
  const { stream, end } = createStream();
  end({ kind: 'completed' });
  end({ kind: 'closed', reason: 'gone' });
  await expect(stream.completed()).resolves.toBeUndefined();
});

test('data of a result with errors rejects and names them', async () => {
  const { stream, push } = createStream();
  push({ errors: [{ message: 'not yours', extensions: { code: 'NOT_FOUND' } }] });
  await expect(stream.data()).rejects.toThrow(/not yours.*NOT_FOUND/);
});

test('a loop over a stream that ended in another way than completion throws', async () => {
  const { stream, end } = createStream();
  end({ kind: 'closed', reason: 'gone' });
  await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow('ended with its connection: gone');
});
