import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import {
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
  param,
  failed,
  record,
  refused,
  succeeded,
} from '../kit/kie.ts';
import { onTestEnd } from '../kit/waits.ts';

test('a record is that of a waiting task, and one field of it can be broken', () => {
  expect(record('t1').body).toMatchObject({ code: 200, data: { taskId: 't1', state: 'waiting' } });
  expect(record('t1', { state: 'dreaming' }).body).toMatchObject({ data: { state: 'dreaming' } });
  expect(JSON.stringify(record('t1', { resultJson: undefined }).body)).not.toContain('resultJson');
});

test('a task that succeeded has its result as a JSON string', () => {
  expect(succeeded('t1', 'https://files.example/a.mp4').body).toMatchObject({
    data: { state: 'success', resultJson: '{"resultUrls":["https://files.example/a.mp4"]}' },
  });
});

test('a task that failed has the reason', () => {
  expect(failed('t1', '501', 'Generation Failed').body).toMatchObject({
    code: 200,
    data: { state: 'fail', failCode: '501', failMsg: 'Generation Failed' },
  });
});

test('a refusal comes under HTTP 200 unless the test wants another status', () => {
  expect(refused(402, 'Insufficient credits')).toEqual({
    status: 200,
    body: { code: 402, msg: 'Insufficient credits', data: null },
  });
  expect(refused(429, 'Slow down', { http: 429 }).status).toBe(429);
});

test('the echo of the create request names the callback address only when there is one', () => {
  expect(JSON.parse(param('https://gw.example/cb'))).toMatchObject({ callBackUrl: 'https://gw.example/cb' });
  expect(param()).not.toContain('callBackUrl');
});

test('callbacks carry the task, and one field of it can be broken', () => {
  expect(callbackSuccess('t1', { taskId: undefined, task_id: 't1' })).toMatchObject({
    code: 200,
    data: { task_id: 't1', state: 'success' },
  });
  expect(callbackFail('t1')).toMatchObject({ code: 501, data: { taskId: 't1', state: 'fail' } });
});

test('a signature covers the task id and the time in seconds', () => {
  // Known answer: printf 't1.1769670760' | openssl dgst -sha256 -hmac secret -binary | base64
  expect(sign('secret', 't1', 1769670760)).toEqual({
    'X-Webhook-Timestamp': '1769670760',
    'X-Webhook-Signature': '3lo80LZBW7+UAU+mM/96roz3lRbKta/SMoz84xboaBI=',
  });
});

test('a callback is delivered as a JSON post, and its answer comes parsed', async () => {
  const server = createServer((request, response) => {
    const { method, headers } = request;
    response.setHeader('content-type', 'application/problem+json');
    response.end(
      JSON.stringify({ method, type: headers['content-type'], at: headers['x-webhook-timestamp'] }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestEnd(() => void server.close());
  const { port } = server.address() as AddressInfo;

  const answer = await deliverCallback(
    `http://127.0.0.1:${port}`,
    callbackFail('t1'),
    sign('secret', 't1', 7),
  );

  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({ method: 'POST', type: 'application/json', at: '7' });
});
