import { createHmac } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { signatureHeaders } from '../../src/sandbox/callbacks.ts';
import { MODELS } from '../../src/sandbox/models.ts';
import { recordAt, stageAt } from '../../src/sandbox/task.ts';
import { onTestEnd } from '../kit/waits.ts';
import { hang, requestWith, startClient, startReceiver, status, type Received } from './client.ts';

const RECORD = '/api/v1/jobs/recordInfo';

describe('recordInfo', () => {
  it('does not know a task in its first second', async () => {
    const sandbox = await startClient({ invisibleMs: 3_600_000 });
    const taskId = await sandbox.create();
    expect(await sandbox.call(`${RECORD}?taskId=${taskId}`)).toEqual({
      http: 200,
      code: 422,
      msg: 'recordInfo is null',
      data: null,
    });
  });

  it('does not know the id of another service', async () => {
    const sandbox = await startClient();
    const answer = await sandbox.call(`${RECORD}?taskId=task_hailuo_1765185328412`);
    expect(answer).toMatchObject({ code: 422, msg: 'recordInfo is null' });
  });

  it('requires one taskId', async () => {
    const sandbox = await startClient();
    for (const query of ['', '?taskId=', '?taskId=a&taskId=b'])
      expect(await sandbox.call(`${RECORD}${query}`)).toMatchObject({
        code: 400,
        msg: 'taskId parameter is required',
      });
  });

  it('rejects queries above the rate limit', async () => {
    // Its window is one of a second.
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestEnd(() => void vi.useRealTimers());
    const sandbox = await startClient({ queriesPerS: 1 });
    const taskId = await sandbox.create('[sandbox: duration=1m]');
    await sandbox.record(taskId);
    expect(await sandbox.call(`${RECORD}?taskId=${taskId}`)).toMatchObject({
      http: 200,
      code: 429,
      data: null,
    });
  });

  it('shows a task under way in the documented shape, with the whole request in param', async () => {
    const sandbox = await startClient();
    const request = requestWith(
      { prompt: '[sandbox: duration=24m]' },
      { callBackUrl: 'http://127.0.0.1:9/hook' },
    );
    const { taskId } = (await sandbox.send(request)).data as { taskId: string };
    const record = await sandbox.record(taskId);
    expect(JSON.parse(record.param)).toEqual(request);
    expect(record).toEqual({
      taskId,
      model: 'hailuo/02-image-to-video-pro',
      state: 'waiting',
      param: record.param,
      resultJson: '',
      failCode: null,
      failMsg: null,
      costTime: 0,
      createTime: expect.closeTo(Date.now(), -5) as number,
      updateTime: record['createTime'],
      completeTime: null,
      creditsConsumed: null,
    });
  });

  it('shows a success with its result, its times and its price, which the balance has paid', async () => {
    const receiver = await startReceiver();
    const sandbox = await startClient();
    const taskId = await sandbox.create('[sandbox: duration=20ms]', receiver.url);
    await receiver.next();
    const record = await sandbox.record(taskId);
    const completeTime = (record['createTime'] as number) + 20;
    expect(record).toMatchObject({ state: 'success', failCode: null, costTime: 20, creditsConsumed: 57 });
    expect(record).toMatchObject({ completeTime, updateTime: completeTime });
    expect(JSON.parse(record.resultJson)).toEqual({ resultUrls: [`${sandbox.url}/files/${taskId}.mp4`] });
    expect(await sandbox.credits()).toBe(10_000 - 57);
  });

  it('shows a failure with its code, free of charge', async () => {
    const receiver = await startReceiver();
    const sandbox = await startClient();
    const taskId = await sandbox.create('[sandbox: fail=500]', receiver.url);
    await receiver.next();
    expect(await sandbox.record(taskId)).toMatchObject({
      state: 'fail',
      resultJson: null,
      failCode: '500',
      failMsg: 'Internal server error',
      creditsConsumed: 0,
    });
    expect(await sandbox.credits()).toBe(10_000);
  });

  it('reads the base URL of result files each time', async () => {
    const addresses = ['https://one.example/files/', 'https://two.example/files'];
    const sandbox = await startClient({ filesUrl: () => addresses.shift() ?? '' });
    const taskId = await sandbox.create('[sandbox: duration=0s]');
    const first = await sandbox.record(taskId);
    const second = await sandbox.record(taskId);
    expect(JSON.parse(first.resultJson)).toEqual({ resultUrls: [`https://one.example/files/${taskId}.mp4`] });
    expect(JSON.parse(second.resultJson)).toEqual({
      resultUrls: [`https://two.example/files/${taskId}.mp4`],
    });
  });
});

describe('the course of a task', () => {
  const [model] = MODELS;
  if (!model) throw new Error('the sandbox has no model');
  const plan = {
    model,
    credits: 57,
    createdAt: 1_000,
    durationMs: 6_000,
    failCode: null,
    callback: 'once',
  } as const;

  it('goes through every documented state in order, each at its share of the duration', () => {
    const times = [1_000, 1_599, 1_600, 2_799, 2_800, 6_999, 7_000, 1e12];
    expect(times.map((now) => stageAt(plan, now).state)).toEqual([
      ...['waiting', 'waiting', 'queuing', 'queuing', 'generating', 'generating', 'success', 'success'],
    ]);
    expect(stageAt({ ...plan, failCode: 501 }, 7_000)).toEqual({ state: 'fail', since: 7_000 });
  });

  it('moves updateTime with the state, and shows a result only at the end', () => {
    const source = { taskId: 't', plan, param: '', filesUrl: 'https://a.example' };
    expect(recordAt(source, 2_000)).toMatchObject({ updateTime: 1_600, completeTime: null, resultJson: '' });
    expect(recordAt(source, 9_000)).toMatchObject({ updateTime: 7_000, completeTime: 7_000 });
  });
});

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

it('the course of a task survives a restart in its id, and the balance begins anew', async () => {
  const before = await startClient();
  const taskId = await before.create('[sandbox: duration=0s]');
  const failed = await before.create('[sandbox: duration=0s] [sandbox: fail=501]');
  expect(await before.credits()).toBe(10_000 - 57);
  await before.close();

  const after = await startClient();
  expect(await after.record(taskId)).toMatchObject({ state: 'success', creditsConsumed: 57, param: '' });
  expect(await after.record(failed)).toMatchObject({ state: 'fail', failCode: '501' });
  expect(await after.credits()).toBe(10_000);
});

it('close() ends every wait and every connection at once', async () => {
  const receiver = await startReceiver(hang);
  const sandbox = await startClient();
  await sandbox.create('[sandbox: duration=24m]', receiver.url);
  await sandbox.create('[sandbox: duration=0s]', receiver.url);
  await receiver.next();
  await sandbox.close();
  await expect(sandbox.credits()).rejects.toThrow('fetch failed');
});
