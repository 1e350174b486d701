import { describe, expect, it, vi } from 'vitest';
import { MODELS } from '../../src/sandbox/models.ts';
import { recordAt, stageAt } from '../../src/sandbox/task.ts';
import { onTestEnd } from '../kit/waits.ts';
import { requestWith, startClient } from './client.ts';
import { startReceiver } from './receiver.ts';

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

  it.each(['', '?taskId=', '?taskId=a&taskId=b'])('requires one taskId: "%s"', async (query) => {
    const sandbox = await startClient();
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
  const plan = { model, createdAt: 1_000, durationMs: 6_000, failCode: null, callback: 'once' } as const;

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
