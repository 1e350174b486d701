import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signatureHeaders } from '../../src/sandbox/callbacks.ts';
import { startClient } from './client.ts';
import { hang, type Received, startReceiver, status } from './receiver.ts';

function isSigned({ headers, body }: Received): boolean {
  const timestamp = headers['x-webhook-timestamp'];
  const message = `${String(body.data['taskId'])}.${String(timestamp)}`;
  const expected = createHmac('sha256', 'a webhook key').update(message).digest('base64');
  return headers['x-webhook-signature'] === expected && Math.abs(Number(timestamp) - Date.now() / 1000) < 10;
}

describe('callbacks', () => {
  it('tell a success as recordInfo does, signed', async () => {
    const receiver = await startReceiver();
    const sandbox = await startClient();
    const taskId = await sandbox.create('a page turns', receiver.url);
    const received = await receiver.next();
    expect(received.body).toEqual({
      code: 200,
      msg: 'Playground task completed successfully.',
      data: await sandbox.record(taskId),
    });
    expect(received.headers['content-type']).toBe('application/json');
    expect(isSigned(received)).toBe(true);
  });

  it('tell a failure as recordInfo does, under code 501', async () => {
    const receiver = await startReceiver();
    const sandbox = await startClient();
    const taskId = await sandbox.create('[sandbox: fail=422]', receiver.url);
    const { body } = await receiver.next();
    expect(body).toEqual({ code: 501, msg: 'Playground task failed.', data: await sandbox.record(taskId) });
    expect(body.data).toMatchObject({ state: 'fail', failCode: '422' });
  });

  it('sign task id and time with the key (known answer, computed with openssl)', () => {
    expect(signatureHeaders('a webhook key', 'task_hailuo_1765185328412', 1769670760_999)).toEqual({
      'x-webhook-timestamp': '1769670760',
      'x-webhook-signature': 'nWfo3kFk1hNRaUIJg63W8CJ/oiukp/A+4rOO/7sO3Qw=',
    });
  });

  it('are repeated three times, freshly signed, while the receiver refuses; then there is silence', async () => {
    const receiver = await startReceiver(status(500), status(404), status(503), status(301), status(200));
    const sandbox = await startClient();
    const refused = await sandbox.create('first', receiver.url);
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      const received = await receiver.next();
      expect(received.body.data['taskId']).toBe(refused);
      expect(isSigned(received)).toBe(true);
    }
    const other = await sandbox.create('second', receiver.url);
    expect((await receiver.next()).body.data['taskId']).toBe(other);
  });

  it('end with the first 2xx', async () => {
    const receiver = await startReceiver(status(503), status(204));
    const sandbox = await startClient();
    const first = await sandbox.create('first', receiver.url);
    expect((await receiver.next()).body.data['taskId']).toBe(first);
    expect((await receiver.next()).body.data['taskId']).toBe(first);
    const second = await sandbox.create('second', receiver.url);
    expect((await receiver.next()).body.data['taskId']).toBe(second);
  });

  it('are repeated when the receiver does not answer in time', async () => {
    const receiver = await startReceiver(hang, status(200));
    const sandbox = await startClient({ callbackTimeoutMs: 500 });
    const taskId = await sandbox.create('a page turns', receiver.url);
    await receiver.next();
    expect((await receiver.next()).body.data['taskId']).toBe(taskId);
  });

  it('do not follow a redirect', async () => {
    const receiver = await startReceiver(status(307, { location: '/elsewhere' }), status(200));
    const sandbox = await startClient();
    await sandbox.create('a page turns', receiver.url);
    expect([(await receiver.next()).path, (await receiver.next()).path]).toEqual(['/hook', '/hook']);
  });

  it('carry no signature when there is no key', async () => {
    const receiver = await startReceiver();
    const sandbox = await startClient({ hmacKey: '' });
    await sandbox.create('a page turns', receiver.url);
    expect((await receiver.next()).headers).not.toHaveProperty('x-webhook-signature');
  });
});
